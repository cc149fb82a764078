/** Who is meant by a name, what is spoken, and whom a server lets in by a certificate. */
import assert from "node:assert/strict";
import type { TlsClient } from "../../runtime/core/endpoint.ts";
import type { TlsServerOptions } from "../../runtime/core/tls.ts";
import { certificates } from "../support/certificates.ts";
import { until } from "../support/until.ts";
import { ECHO, tls, trusting } from "./secured.ts";
import type { Case } from "./stage.ts";

const identities = (): Partial<TlsServerOptions> => {
  const { identity } = certificates();
  return {
    identities: [
      identity("server", "logs.example"),
      identity("a", "a.example"),
      identity("wildcard", "*.w.example"),
    ],
  };
};

const names: readonly Case[] = [
  ...tls(
    "the certificate is that of the name that is asked for",
    async ({ client, server }) => {
      const expected = [
        ["a.example", "CN=a"],
        ["x.w.example", "CN=wildcard"],
        ["nobody.example", "CN=server"],
        ["w.example", "CN=server"],
        ["x.y.w.example", "CN=server"],
      ] as const;
      for (const [index, [serverName, subject]] of expected.entries()) {
        const mine = await client(trusting({ serverName, rejectUnauthorized: false }));
        assert.equal(mine.connection.tls!.peer!.subject, subject, serverName);
        const theirs = await server.connection(index);
        await until("the handshake", () => theirs.events.includes("secured"));
        assert.equal(theirs.connection.tls!.serverName, serverName);
      }
    },
    identities,
    ECHO,
    true,
  ),
  ...tls("the first of our protocols that the client offers is spoken", async (
    { client, server },
  ) => {
    const offers = [[["http/1.1", "h2"], "h2"], [["x", "http/1.1"], "http/1.1"]] as const;
    for (const [index, [alpn, chosen]] of offers.entries()) {
      const mine = await client(trusting({ alpn }));
      assert.equal(mine.connection.tls!.alpn, chosen);
      const theirs = await server.connection(index);
      await until("the handshake", () => theirs.events.includes("secured"));
      assert.equal(theirs.connection.tls!.alpn, chosen);
    }
    const mine = await client();
    assert.equal(mine.connection.tls!.alpn, undefined);
  }, () => ({ alpn: ["h2", "http/1.1"] })),
];

/** With a certificate of ours. */
const showing = (name: "client" | "odd" | "stranger"): TlsClient => {
  const { cert, key } = certificates();
  return trusting({ cert: cert(name), key: key(name) });
};

const asking = (client: "request" | "require") => (): Partial<TlsServerOptions> => ({
  client,
  ca: [certificates().cert("ca")],
});

const clients: readonly Case[] = [
  ...tls("who shows a certificate is known by it", async ({ client, server }) => {
    await client(showing("odd"));
    const theirs = await server.connection(0);
    await until("the handshake", () => theirs.events.includes("secured"));
    const { peer, authorized } = theirs.connection.tls!;
    assert.equal(authorized, true);
    assert.equal(peer!.subject, 'CN=\\#odd,OU=\\"Söhne\\"+O=Example\\, Inc.,C=CH');
    assert.equal(peer!.issuer, "CN=ca");
    assert.deepEqual(peer!.subjectAltNames, [
      "DNS:odd.example",
      "IP:192.0.2.1",
      "IP:2001:db8::1",
      "email:o@odd.example",
      "URI:spiffe://odd/x",
    ]);
    assert.match(peer!.fingerprint, /^[0-9a-f]{64}$/);
    assert.match(peer!.serialNumber, /^[0-9a-f]+$/);
    assert.ok(peer!.validFrom <= Date.now() && peer!.validTo > Date.now() + 86_400_000);
  }, asking("require")),
  ...tls("who is only asked may come without one, or with a stranger's", async (
    { client, server },
  ) => {
    for (const [index, options] of [trusting(), showing("stranger")].entries()) {
      await client(options);
      const theirs = await server.connection(index);
      await until("the handshake", () => theirs.events.includes("secured"));
      assert.equal(theirs.connection.tls!.authorized, false);
      assert.equal(theirs.connection.tls!.peer?.subject, index === 0 ? undefined : "CN=stranger");
    }
  }, asking("request")),
  ...tls("where one is required nobody comes without, nor with a stranger's", async (
    { client, server },
  ) => {
    const reasons = [/shown no certificate/, /nobody who is trusted/];
    for (const [index, options] of [trusting(), showing("stranger")].entries()) {
      // In TLS 1.3 the client is done before the server is.
      await client(options, { end: (connection) => connection.end() }).catch(() => {});
      const theirs = await server.connection(index);
      await until("the close", () => theirs.closed);
      assert.equal(theirs.error?.code, "TLS_FAILED");
      assert.match(theirs.error!.message, reasons[index]!);
      assert.ok(!theirs.events.includes("secured"));
    }
  }, asking("require")),
];

/** Of {@link TlsServerOptions}. */
export const securedNames: readonly Case[] = [...names, ...clients];
