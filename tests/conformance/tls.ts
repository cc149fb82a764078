/** Connections of our own making over TLS: whom they trust, and what they carry. */
import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import type { NamedEndpoint } from "../../runtime/core/contract.ts";
import { formatEndpoint, type TlsClient } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { until, within } from "../support/until.ts";
import { Client } from "./client.ts";
import { assertBytes, encode, pattern, text } from "./harness.ts";
import type { Behaviour, Tapped } from "./recorder.ts";
import { type Case, type Stage } from "./stage.ts";
import { needsTls, type TlsManner, type TlsServer, withTlsServer } from "./tls-server.ts";

const MEGABYTE = 1024 * 1024;

function endpoint({ port }: TlsServer, host = "127.0.0.1"): NamedEndpoint {
  return { transport: "tls", host, port };
}

/** Connects, and ends what is left when `use` is over. */
async function withClient(
  stage: Stage,
  to: NamedEndpoint,
  tls: TlsClient,
  behaviour: Behaviour,
  use: (mine: Tapped) => Promise<void>,
): Promise<void> {
  const client = new Client(behaviour);
  await within("connect", stage.adapter.connect(to, client, "given", 5000, tls));
  assert.equal(client.connections.length, 1, "open comes before connect resolves");
  assert.deepEqual(client.given, ["given"]);
  try {
    await use(client.connections[0]!);
  } finally {
    await client.stop(() => stage.settle());
  }
}

async function refused(
  stage: Stage,
  to: NamedEndpoint,
  tls: TlsClient,
  code: string,
  why: RegExp,
  timeout = 5000,
): Promise<void> {
  const client = new Client({});
  const attempt = within("a refusal", stage.adapter.connect(to, client, undefined, timeout, tls));
  await assert.rejects(attempt, (error: PorticoError) => {
    assert.equal(error.name, "PorticoError", String(error.stack));
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.startsWith(`cannot connect to ${formatEndpoint(to)}: `), error.message);
    assert.match(error.message, why);
    return true;
  });
  await stage.settle();
  assert.equal(client.connections.length, 0);
}

/** A case with a server; all of TLS goes over TCP. */
function tls(
  name: string,
  manner: TlsManner,
  run: (stage: Stage, ...server: Parameters<Parameters<typeof withTlsServer>[1]>) => Promise<void>,
): Case {
  return {
    name: `connect by TLS: ${name}`,
    only: "tcp",
    needs: needsTls,
    run: (stage) => withTlsServer(manner, (server, papers) => run(stage, server, papers)),
  };
}

const versions = (["TLSv1_2", "TLSv1_3"] as const).flatMap((newest): Case[] => {
  const version = newest.replace("_", ".");
  return [
    tls(`${version}, with an authority of ours`, { newest }, async (stage, server, { ca }) => {
      const to = endpoint(server);
      await withClient(stage, to, { ca, serverName: "logs.example" }, {}, async (mine) => {
        assert.equal(String(mine.connection.remote), formatEndpoint(to));
        assert.match(String(mine.connection.local), /^tls:\/\/127\.0\.0\.1:\d+$/);
        mine.write(encode("hello"));
        await until("the echo", () => mine.received === 5);
        assert.equal(text(mine.bytes()), "hello");
        mine.end();
        await until("the close", () => mine.closed);
        assert.equal(mine.error, undefined);
        assert.equal(mine.events.at(-1), "close");
      });
      assert.deepEqual(await server.look(0), { name: "logs.example", version, client: null });
      const { received, end } = await server.look(1);
      assert.deepEqual([received, end], [5, "farewell"]);
    }),
    tls(`${version}, with a certificate of ours`, { newest, asks: true }, async (
      stage,
      server,
      { ca, cert, key },
    ) => {
      await withClient(stage, endpoint(server), { ca, cert, key }, {}, async (mine) => {
        mine.write(encode("hello"));
        await until("the echo", () => mine.received === 5);
      });
      assert.deepEqual(await server.look(0), { name: null, version, client: "client" });
    }),
  ];
});

const trust: readonly Case[] = [
  tls("an authority that nobody knows is refused", {}, async (stage, server, { other }) => {
    const name = "logs.example";
    const why = /self.signed|unable to (verify|get)|UnknownIssuer|certificate/i;
    await refused(stage, endpoint(server), { serverName: name }, "TLS_FAILED", why);
    await refused(stage, endpoint(server), { serverName: name, ca: other }, "TLS_FAILED", why);
  }),
  tls("a certificate for another name is refused", {}, async (stage, server, { ca }) => {
    const why = /logs\.example|altnames|NotValidForName|hostname/i;
    await refused(stage, endpoint(server), { ca, serverName: "other.example" }, "TLS_FAILED", why);
    // The host is the name when none is said; as an address it is in the certificate, as a name not.
    await refused(stage, endpoint(server, "localhost"), { ca }, "TLS_FAILED", why);
    await withClient(stage, endpoint(server), { ca }, {}, () => Promise.resolve());
  }),
  tls("who takes any certificate is told no lie about it", {}, async (stage, server) => {
    const any: TlsClient = { rejectUnauthorized: false, serverName: "any.example" };
    await withClient(stage, endpoint(server), any, {}, async (mine) => {
      mine.write(encode("hello"));
      await until("the echo", () => mine.received === 5);
    });
    assert.equal((await server.look(0)).name, "any.example");
  }),
  tls(
    "a server that wants a certificate lets nobody in without one",
    { newest: "TLSv1_2", asks: true },
    async (stage, server, { ca }) => {
      const client = new Client({});
      const attempt = stage.adapter.connect(endpoint(server), client, undefined, 5000, { ca });
      await assert.rejects(within("a refusal", attempt), ({ code }: PorticoError) => {
        assert.ok(code === "TLS_FAILED" || code === "ECONNRESET", code);
        return true;
      });
      assert.equal((await server.look(0)).failed, "PEER_DID_NOT_RETURN_A_CERTIFICATE");
    },
  ),
  tls(
    "in TLS 1.3 it says so only when the handshake is over here: the connection closes",
    { asks: true },
    async (stage, server, { ca }) => {
      await withClient(stage, endpoint(server), { ca }, {}, async (mine) => {
        await until("the close", () => mine.closed);
        assert.equal(mine.received, 0);
      });
      assert.equal((await server.look(0)).failed, "PEER_DID_NOT_RETURN_A_CERTIFICATE");
    },
  ),
  tls(
    "papers that are none, or not of one hand, are refused",
    {},
    async (stage, server, papers) => {
      const { ca, cert, key } = papers;
      const wrong: readonly TlsClient[] = [
        { ca, cert, key: "no key" },
        { ca, cert: "no certificate", key },
        { ca, cert: ca, key },
        { ca: "no authority" },
      ];
      for (const each of wrong) await refused(stage, endpoint(server), each, "TLS_FAILED", /: ./);
    },
  ),
  tls("a server that speaks no TLS is refused", { manner: "plain" }, async (stage, server) => {
    const client = new Client({});
    const attempt = stage.adapter.connect(endpoint(server), client, undefined, 5000, {});
    await assert.rejects(within("a refusal", attempt), { name: "PorticoError", side: "peer" });
  }),
  tls("a server that says nothing is given up in time", { manner: "silent" }, async (
    stage,
    server,
  ) => {
    const began = performance.now();
    await refused(stage, endpoint(server), {}, "ETIMEDOUT", /nobody has answered in time/, 200);
    assert.ok(performance.now() - began >= 190, "it was given that time");
  }),
  tls("where nobody listens any more it is refused as over TCP", {}, async (stage) => {
    const server = await stage.listen();
    await server.listener.close();
    const { port } = server.listener.address;
    const to: NamedEndpoint = { transport: "tls", host: "127.0.0.1", port };
    await refused(stage, to, {}, "ECONNREFUSED", /: connection refused \(ECONNREFUSED\)$/);
  }),
];

const traffic: readonly Case[] = [
  tls("8 MB in one write come back whole; pending goes up and down", {}, async (
    stage,
    server,
    { ca },
  ) => {
    const sent = pattern(8 * MEGABYTE);
    await withClient(stage, endpoint(server), { ca }, {}, async (mine) => {
      assert.equal(mine.write(sent), false);
      assert.ok(mine.pending > 0);
      await until("all of it", () => mine.received === sent.length, 20_000);
      assertBytes(mine.bytes(), sent, "the echo");
      assert.deepEqual([mine.drains, mine.pending], [1, 0]);
      mine.end();
      await until("the close", () => mine.closed);
      assert.equal(mine.error, undefined);
    });
    const { received, sum, end } = await server.look(1);
    assert.deepEqual([received, sum, end], [sent.length, crc32(sent), "farewell"]);
  }),
  tls("5 MB each way at once, at a server that reads last", { manner: "pour" }, async (
    stage,
    server,
    { ca },
  ) => {
    const sent = pattern(5 * MEGABYTE, 3);
    await withClient(stage, endpoint(server), { ca }, {}, async (mine) => {
      for (let at = 0; at < sent.length; at += 40_009) mine.write(sent.subarray(at, at + 40_009));
      mine.end();
      await until("the close", () => mine.closed, 20_000);
      assertBytes(mine.bytes(), pattern(5 * MEGABYTE, 2), "received");
    });
    const { received, sum } = await server.look(1);
    assert.deepEqual([received, sum], [sent.length, crc32(sent)]);
  }),
  tls("who is paused is not told anything, and loses nothing", { manner: "pour" }, async (
    stage,
    server,
    { ca },
  ) => {
    const paused: Behaviour = { open: (connection) => connection.pause() };
    await withClient(stage, endpoint(server), { ca }, paused, async (mine) => {
      await server.look(0);
      await stage.settle();
      assert.equal(mine.received, 0);
      mine.resume();
      await until("all of it", () => mine.received === 5 * MEGABYTE, 20_000);
      assertBytes(mine.bytes(), pattern(5 * MEGABYTE, 2), "received");
    });
  }),
];

const ends: readonly Case[] = [
  tls("the end of the server is told, and closes", { manner: "bye" }, async (
    stage,
    server,
    { ca },
  ) => {
    const polite: Behaviour = { end: (connection) => connection.end() };
    await withClient(stage, endpoint(server), { ca }, polite, async (mine) => {
      mine.write(encode("hello"));
      await until("the close", () => mine.closed);
      assert.equal(text(mine.bytes()), "bye");
      assert.deepEqual(mine.events, ["open", "data", "end", "close"]);
      assert.equal(mine.error, undefined);
    });
  }),
  tls("a server that goes without a farewell has said what it said", { manner: "cut" }, async (
    stage,
    server,
    { ca },
  ) => {
    const polite: Behaviour = { end: (connection) => connection.end() };
    await withClient(stage, endpoint(server), { ca }, polite, async (mine) => {
      mine.write(encode("hello"));
      await until("the close", () => mine.closed);
      assert.equal(text(mine.bytes()), "half");
    });
  }),
  tls("a reset of the server is told", { manner: "reset" }, async (stage, server, { ca }) => {
    await withClient(stage, endpoint(server), { ca }, {}, async (mine) => {
      mine.write(encode("hello"));
      await until("the close", () => mine.closed);
      assert.equal(mine.error?.side, "peer");
    });
  }),
  tls("an abort drops what is pending, and closes", {}, async (stage, server, { ca }) => {
    await withClient(stage, endpoint(server), { ca }, {}, async (mine) => {
      // The last of the handshake is ours: it is not to be dropped with the rest.
      await server.look(0);
      mine.pause();
      mine.write(pattern(16 * MEGABYTE));
      mine.abort();
      await until("the close", () => mine.closed);
      assert.equal(mine.pending, 0);
    });
    const { received = 0, end } = await server.look(1);
    assert.ok(received < 16 * MEGABYTE, `${received} bytes have come`);
    assert.notEqual(end, "farewell");
  }),
];

/** Of {@link Adapter.connect}, to `tls` endpoints. */
export const tlsClients: readonly Case[] = [...versions, ...trust, ...traffic, ...ends];
