/** TLS with peers that are nobody's of ours: what they see, and what becomes of those who do it wrong. */
import assert from "node:assert/strict";
import type { Support } from "../../runtime/core/contract.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import type { TlsServerOptions } from "../../runtime/core/tls.ts";
import { certificates } from "../support/certificates.ts";
import { until } from "../support/until.ts";
import { encode, type Harness } from "./harness.ts";
import { ECHO, type Scene, serverOptions, withServer } from "./secured.ts";
import { both, type Case, programs } from "./stage.ts";
import { openssl, send } from "./tls-peers.ts";

function tls(
  name: string,
  run: (scene: Scene) => Promise<void>,
  options: () => Partial<TlsServerOptions> = () => ({}),
  needs: (harness: Harness) => Support = () => true,
): Case {
  return {
    name: `TLS, others: ${name}`,
    only: "tcp",
    needs: (harness) => both(programs("openssl")(harness), needs(harness)),
    run: (stage) => withServer(stage, "tls", options(), ECHO, run),
  };
}

const feature =
  (name: "sharedTickets" | "formerTickets" | "stapling" | "ciphers") => ({ adapter }: Harness) =>
    adapter.features.tls?.[name] ?? true;

/** A file of a session, with a name that nobody else has. */
let sessions = 0;
const sessionFile = (): string => `${certificates().folder}/session-${sessions++}`;

const VERSIONS = ["-tls1_2", "-tls1_3"] as const;

/** Speaks, and says whether the session was a new one. */
async function visit(
  { server }: Scene,
  version: string,
  ...words: readonly string[]
): Promise<"New" | "Reused"> {
  const said = await openssl(server.listener.address, [version, ...words], "hello", /hello/);
  const found = /^(New|Reused), TLSv1\.[23]/m.exec(said);
  assert.ok(found !== null, said);
  return found[1] as "New";
}

const sessionsAgain: readonly Case[] = [
  ...VERSIONS.map((version) =>
    tls(`a session is resumed, ${version}`, async (scene) => {
      const file = sessionFile();
      assert.equal(await visit(scene, version, "-sess_out", file), "New");
      assert.equal(await visit(scene, version, "-sess_in", file), "Reused");
      const { server, context } = scene;
      assert.deepEqual(server.connections.map((each) => each.tls?.resumed), [
        false,
        true,
      ]);
      // What has not changed goes on; what has is told anew.
      const { identity } = certificates();
      const options = serverOptions();
      context.update({
        ...options,
        identities: [...options.identities, identity("b", "b.example")],
      });
      assert.equal(await visit(scene, version, "-sess_in", file), "Reused");
    })
  ),
  ...VERSIONS.map((version) =>
    tls(
      `with the same keys of tickets a session goes on after an update, and elsewhere, ${version}`,
      async (scene) => {
        const { stage, context } = scene;
        const { identity } = certificates();
        const file = sessionFile();
        assert.equal(await visit(scene, version, "-sess_out", file), "New");
        const renewed = serverOptions({
          ticketKeys: TICKET_KEYS,
          identities: [identity("renewed", "logs.example")],
        });
        context.update(renewed);
        assert.equal(await visit(scene, version, "-sess_in", file), "Reused");
        const elsewhere = { ticketKeys: TICKET_KEYS };
        await withServer(stage, "tls", elsewhere, ECHO, async (other) => {
          assert.equal(await visit(other, version, "-sess_in", file), "Reused");
        });
        await withServer(stage, "tls", {}, ECHO, async (other) => {
          assert.equal(await visit(other, version, "-sess_in", file), "New");
        });
        // Who trusts other clients has nothing to do with it.
        const ca = [certificates().cert("ca")];
        await withServer(
          stage,
          "tls",
          { ...elsewhere, client: "request", ca },
          ECHO,
          async (other) => {
            assert.equal(await visit(other, version, "-sess_in", file), "New");
          },
        );
      },
      () => ({ ticketKeys: TICKET_KEYS }),
      feature("sharedTickets"),
    )
  ),
  ...VERSIONS.map((version) =>
    tls(
      `tickets of the key before the one in use are taken, and replaced; older ones are not, ${version}`,
      async (scene) => {
        const { context } = scene;
        const [old, renewed] = [sessionFile(), sessionFile()];
        const rotate = (now: number, before: number): void => {
          const keys = { ticketKeys: keysOf(now), formerTicketKeys: keysOf(before) };
          context.update(serverOptions(keys));
        };
        assert.equal(await visit(scene, version, "-sess_out", old), "New");
        rotate(8, 7);
        for (let i = 0; i < 2; i++) {
          const words = ["-sess_in", old, "-sess_out", renewed];
          assert.equal(await visit(scene, version, ...words), "Reused");
        }
        rotate(9, 8);
        // Of TLS 1.2 this client keeps the ticket that it has shown.
        if (version === "-tls1_3") {
          assert.equal(await visit(scene, version, "-sess_in", renewed), "Reused");
        }
        assert.equal(await visit(scene, version, "-sess_in", old), "New");
        const fresh = sessionFile();
        assert.equal(await visit(scene, version, "-sess_out", fresh), "New");
        assert.equal(await visit(scene, version, "-sess_in", fresh), "Reused");
      },
      () => ({ ticketKeys: TICKET_KEYS }),
      feature("formerTickets"),
    )
  ),
];

const keysOf = (byte: number): Uint8Array => new Uint8Array(48).fill(byte);
const TICKET_KEYS = keysOf(7);

const options: readonly Case[] = [
  tls(
    "a new certificate is shown from the next handshake on; who is there stays",
    async (scene) => {
      const { context, server, client } = scene;
      const { identity } = certificates();
      const mine = await client();
      const before = await openssl(server.listener.address, [], "hello", /hello/);
      assert.match(before, /^subject=CN ?= ?server$/m);
      context.update(serverOptions({ identities: [identity("a", "logs.example")] }));
      const after = await openssl(server.listener.address, [], "hello", /hello/);
      assert.match(after, /^subject=CN ?= ?a$/m);
      mine.write(encode("still"));
      await until("the echo", () => mine.received === 5);
    },
  ),
  tls("what is no pair changes nothing, and says whose it is and nothing of the key", async (
    { context, engine, client },
  ) => {
    const { identity, cert, key } = certificates();
    const wrong = [
      [
        { cert: cert("a"), key: key("b"), names: ["a.example", "b"] },
        /key of a\.example, b is not/,
      ],
      [
        { cert: cert("a"), key: "secret", names: ["a.example"] },
        /key of a\.example is no private key/,
      ],
      [
        { cert: "nothing", key: key("a"), names: [] },
        /certificate of the server is no certificate/,
      ],
    ] as const;
    const refused = (text: RegExp) => (error: PorticoError): boolean => {
      assert.deepEqual([error.name, error.code, error.side], [
        "PorticoError",
        "TLS_INVALID",
        "config",
      ]);
      assert.match(error.message, text);
      assert.doesNotMatch(JSON.stringify([error.message, error.cause]), /secret|PRIVATE/);
      return true;
    };
    for (const [pair, text] of wrong) {
      const changed = serverOptions({ identities: [identity("b", "b.example"), pair] });
      assert.throws(() => context.update(changed), refused(text));
      assert.throws(() => engine.server(changed), refused(text));
    }
    assert.throws(
      () => context.update(serverOptions({ identities: [] })),
      refused(/no certificate/),
    );
    assert.throws(() => context.update(serverOptions({ ca: ["nobody"] })), refused(/authorities/));
    assert.throws(() => context.update(serverOptions({ ciphers: "NOPE" })), refused(/cipher/));
    const mine = await client();
    assert.equal(mine.connection.tls!.peer!.subject, "CN=server");
  }),
  tls("an older version than the oldest is refused with an alert", async ({ server }) => {
    const said = await openssl(server.listener.address, ["-tls1_2"]);
    assert.match(said, /alert number 70/);
    const theirs = await server.connection(0);
    await until("the close", () => theirs.closed);
    assert.match(theirs.error!.message, /^the TLS handshake failed: no version of TLS is common/);
  }, () => ({ minVersion: "TLSv1.3" })),
  tls("who offers none of our protocols gets an alert", async ({ server }) => {
    const said = await openssl(server.listener.address, ["-alpn", "foo"]);
    assert.match(said, /alert number 120/);
    const theirs = await server.connection(0);
    await until("the close", () => theirs.closed);
    assert.match(theirs.error!.message, /no application protocol \(ALPN\) is common to both$/);
  }, () => ({ alpn: ["h2"] })),
  tls(
    "ciphers are those that are named",
    async ({ server }) => {
      const said = await openssl(server.listener.address, ["-tls1_2"], "hello", /hello/);
      assert.match(said, /^New, TLSv1.2, Cipher is ECDHE-ECDSA-AES128-GCM-SHA256$/m);
      assert.equal(
        server.connections[0]!.tls!.cipher,
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
      );
    },
    () => ({ ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" }),
    feature("ciphers"),
  ),
  tls(
    "ciphers of TLS 1.2 that are named leave TLS 1.3 as it is",
    async ({ server }) => {
      const said = await openssl(server.listener.address, [], "hello", /hello/);
      assert.match(said, /^New, TLSv1.3, Cipher is TLS_/m);
    },
    () => ({ ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" }),
  ),
  tls("where none is named, those without AEAD are refused", async ({ server }) => {
    const cipher = ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384"];
    assert.match(await openssl(server.listener.address, cipher), /alert number 40/);
  }),
  tls("an OCSP response is stapled to its certificate", async ({ server }) => {
    const { address } = server.listener;
    const stapled = await openssl(
      address,
      ["-status", "-servername", "a.example"],
      "hello",
      /hello/,
    );
    assert.match(stapled, /OCSP Response Status: trylater/);
    const none = await openssl(address, ["-status"], "hello", /hello/);
    assert.match(none, /OCSP response: no response sent/);
  }, () => {
    const { identity } = certificates();
    // OCSPResponse { responseStatus tryLater (3) }, RFC 6960, 4.2.1.
    const ocsp = new Uint8Array([0x30, 3, 0x0a, 1, 3]);
    return {
      identities: [identity("server", "logs.example"), { ...identity("a", "a.example"), ocsp }],
    };
  }, feature("stapling")),
  tls("a key of RSA does as well", async ({ server }) => {
    const said = await openssl(server.listener.address, ["-tls1_2"], "hello", /hello/);
    assert.match(said, /^New, TLSv1.2, Cipher is ECDHE-RSA-/m);
    assert.match(server.connections[0]!.tls!.cipher, /^TLS_ECDHE_RSA_WITH_/);
  }, () => ({ identities: [certificates().identity("rsa", "rsa.example")] })),
];

/** The beginning of a handshake: a record of a ClientHello that is longer than what follows. */
const HELLO = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03];

const wrong: readonly Case[] = [
  tls("renegotiation is refused", async ({ server }) => {
    const { address } = server.listener;
    const said = await openssl(address, ["-tls1_2"], "hello", /hello/, "R\n");
    assert.match(said, /no renegotiation/i);
  }),
  ...([
    ["HTTP", encode("GET / HTTP/1.1\r\nhost: x\r\n\r\n")],
    ["SSH", encode("SSH-2.0-OpenSSH_9.2\r\n")],
    ["noise", new Uint8Array(300).map((_, at) => at * 73 + 201)],
    ["a record that is too long", new Uint8Array([0x16, 3, 1, 0xff, 0xff, 1])],
    ["a message that is due to nobody", new Uint8Array([0x16, 3, 1, 0, 5, 2, 0, 0, 1, 0])],
  ] as const).map(([name, bytes]) =>
    tls(`${name} on a port of TLS is closed, and told of`, async ({ server }) => {
      await send(server.listener.address, [bytes]);
      const theirs = await server.connection(0);
      await until("the close", () => theirs.closed);
      assert.deepEqual(theirs.events, ["open", "close"]);
      assert.equal(theirs.error?.code, "TLS_FAILED");
      assert.equal(theirs.error.side, "peer");
      assert.match(
        theirs.error.message,
        /^the TLS handshake failed: the client does not speak TLS/,
      );
    })
  ),
  tls("who goes in the middle of a handshake is told of", async ({ server }) => {
    const { address } = server.listener;
    await send(address, [new Uint8Array(HELLO)], true);
    const theirs = await server.connection(0);
    await until("the close", () => theirs.closed);
    assert.match(String(theirs.error?.code), /^(ECONNRESET|TLS_FAILED)$/);
    assert.deepEqual(theirs.events, ["open", "close"]);
  }),
  tls("who is given up in a handshake is gone", async ({ server }) => {
    const peer = send(server.listener.address, HELLO.map((byte) => new Uint8Array([byte])));
    const theirs = await server.connection(0);
    theirs.abort();
    await until("the close", () => theirs.closed);
    assert.deepEqual([theirs.events, theirs.error], [["open", "close"], undefined]);
    await peer;
  }),
  tls("a client that does not know our authority says so", async ({ server }) => {
    const other = certificates().file("other");
    await openssl(server.listener.address, ["-CAfile", other, "-verify_return_error"]);
    const theirs = await server.connection(0);
    await until("the close", () => theirs.closed);
    assert.equal(theirs.error?.code, "TLS_FAILED");
  }),
];

/** With `openssl` as the client. */
export const securedOthers: readonly Case[] = [...sessionsAgain, ...options, ...wrong];
