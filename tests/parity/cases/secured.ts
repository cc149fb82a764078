/** TLS before the first byte, and in the middle of a session: it comes after the turn, and before the plugin. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import type { Call } from "../calls.ts";
import { type Case, STREAMS, type Transport } from "../case.ts";
import type { Stage } from "../stage.ts";
import { type CertificateName, certificates, type JsonRecord } from "../support.ts";
import { fits } from "./sights.ts";

const TLS: readonly Transport[] = ["tls"];
/** The head of a ClientHello that is longer than what comes of it. */
const HALF = new Uint8Array([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]);

/** What a client shows who has this certificate. */
function showing(name: CertificateName) {
  return { tls: { cert: certificates().cert(name), key: certificates().key(name) } };
}

function fingerprint(name: CertificateName): string {
  return new X509Certificate(certificates().cert(name)).fingerprint256;
}

/** Looks at one refusal: nobody has asked the plugin, or opened anything for it. */
async function refused(
  stage: Stage,
  call: Call,
  why: { readonly rule: string } | { readonly limit: string },
  asked = 0,
): Promise<JsonRecord> {
  const [record] = await stage.records("refuse", 1);
  const { level, rule, limit, remote } = record as JsonRecord & { rule?: string; limit?: string };
  const found = { ...(rule !== undefined && { rule }), ...(limit !== undefined && { limit }) };
  assert.deepEqual([level, found], ["limit" in why ? "warn" : "info", why]);
  fits(String(remote).replace(/^tcp:/, "tls:"), String(call.name).replace(/^tcp:/, "tls:"));
  assert.equal(stage.traced("verify"), asked, "verify was not asked");
  assert.equal(stage.all({ event: "open" }).length, asked);
  const cause = "rule" in why ? why.rule : why.limit;
  await stage.until({ refused: 1, errors: 0, tallied: { [cause]: 1 } });
  return record!;
}

export const SECURED: readonly Case[] = [
  {
    name: "TLS: a handler sees what it has come to, and so does its record",
    transports: TLS,
    fields: ["remote", "tls"],
    tls: { alpn: ["x", "y"], clientCertificate: "request", ca: "ca.pem" },
    async run(stage: Stage) {
      const { tls } = showing("client");
      const call = await stage.call("tls", { tls: { ...tls, ALPNProtocols: ["y", "z"] } });
      const { cipher, peer, ...seen } = JSON.parse(await call.done());
      assert.match(cipher, /^TLS_(AES|CHACHA20)_\w+_SHA\d+$/);
      assert.deepEqual(seen, {
        version: "TLSv1.3",
        serverName: "logs.example",
        alpn: "y",
        resumed: false,
        authorized: true,
      });
      assert.deepEqual([peer.subject, peer.issuer, peer.subjectAltNames], [
        "CN=client",
        "CN=ca",
        ["DNS:client.example"],
      ]);
      assert.equal(peer.fingerprint, fingerprint("client").replaceAll(":", "").toLowerCase());
      assert.equal(call.tls!.alpnProtocol, "y");
      const [open] = await stage.records("open", 1);
      assert.equal(open!["remote"], call.name);
      assert.deepEqual(
        ["tlsVersion", "tlsCipher", "tlsServerName", "tlsAlpn", "tlsPeer", "tlsResumed"]
          .map((field) => open![field]),
        ["TLSv1.3", cipher, "logs.example", "y", "CN=client", false],
      );
      assert.equal(open!["tlsFingerprint"], peer.fingerprint);
      // A certificate of nobody who is trusted is seen, and said to be that.
      const stranger = await stage.call("tls", showing("stranger"));
      const { authorized, peer: other } = JSON.parse(await stranger.done());
      assert.deepEqual([authorized, other.subject], [false, "CN=stranger"]);
      // Who shows none has none.
      const none = JSON.parse(await stage.ask("tls"));
      assert.deepEqual([none.authorized, none.peer, none.alpn], [false, undefined, undefined]);
      await stage.idle({ served: 3, refused: 0, errors: 0 });
    },
  },
  {
    name: "TLS: who shows no certificate, or somebody else's, is refused where there has to be one",
    transports: TLS,
    limits: { sessions: 2 },
    tls: { clientCertificate: "require", ca: "ca.pem" },
    async run(stage: Stage) {
      const none = await stage.call("echo refused");
      const { message } = await refused(stage, none, { rule: "tls" });
      assert.match(String(message), /the client has shown no certificate/);
      await none.refused(0);
      const stranger = await stage.call("echo refused", showing("stranger"));
      const [, second] = await stage.records("refuse", 2, { rule: "tls" });
      assert.match(String(second!["message"]), /certificate/);
      await stranger.refused(0);
      await stage.traces("verify", 0);
      const call = await stage.call("echo served", showing("client"));
      assert.equal(await call.done(), "served");
      await stage.idle({ served: 1, refused: 2, errors: 0, tallied: { tls: 2 } });
      await stage.records("open", 1);
    },
  },
  {
    name:
      "TLS: a rule about certificates lets in whom it is about, and refuses the others unopened",
    transports: TLS,
    tls: { clientCertificate: "request", ca: "ca.pem" },
    access: { allow: ["cert:subject=CN=client"] },
    async run(stage: Stage) {
      const none = await stage.call("echo refused");
      await refused(stage, none, { rule: "no certificate" });
      await none.refused(0);
      const call = await stage.call("echo served", showing("client"));
      assert.equal(await call.done(), "served");
      const odd = await stage.call("echo refused", showing("odd"));
      await stage.records("refuse", 2);
      await odd.refused(0);
      await stage.traces("verify", 1);
      await stage.idle({ served: 1, refused: 2, errors: 0 });
    },
  },
  {
    name: "TLS: who does not finish its handshake is struck by limits.handshake, and keeps nothing",
    transports: TLS,
    limits: { sessions: 2, handshake: "300ms" },
    async run(stage: Stage) {
      // Half of it, and nothing at all.
      for (const header of [[HALF], []]) {
        const { refused: before } = await stage.status();
        const call = await stage.call("", { clear: true, header });
        const records = await stage.records("refuse", before + 1, { level: "warn" });
        assert.equal(records[before]!["limit"], "handshake");
        await call.refused(0);
      }
      await stage.traces("verify", 0);
      await stage.idle({ served: 0, refused: 2, errors: 0, tallied: { handshake: 2 } });
    },
  },
  {
    name: "TLS: who is in its handshake has the turn, and gives it back when it goes",
    transports: TLS,
    limits: { sessions: 2 },
    async run(stage: Stage) {
      const half = await stage.call("", { clear: true, header: [HALF] });
      await stage.until({ live: 1 });
      const next = await stage.call("echo next");
      await stage.until({ live: 2, held: 1 });
      await stage.traces("verify", 0);
      half.leave();
      assert.equal(await next.done(), "next");
      await stage.idle({ served: 1, errors: 0 });
    },
  },
  {
    name: "TLS: who speaks in clear is turned away, with a record that says so",
    transports: TLS,
    limits: { sessions: 2 },
    async run(stage: Stage) {
      const call = await stage.call("echo refused", { clear: true });
      const { message } = await refused(stage, call, { rule: "tls" });
      await call.dismissed(0);
      assert.match(String(message), /the client does not speak TLS/);
      await stage.idle({ served: 0, refused: 1 });
      await stage.refill(2);
    },
  },
  {
    name: "TLS: who is refused by a rule or a limit, or waits, is so before its handshake",
    transports: TLS,
    needs: "addresses",
    limits: { sessions: 2, hold: "400ms" },
    access: { deny: ["127.0.0.2"] },
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      // None of them is said a byte; the alert of a handshake would be some.
      const denied = await stage.call("", { clear: true, header: [HALF], from: "127.0.0.2" });
      await denied.refused(0);
      const waits = await stage.call("", { clear: true, header: [HALF] });
      await stage.until({ live: 2, held: 1 });
      const late = await stage.call("", { clear: true, header: [HALF] });
      await late.refused(0);
      await waits.refused(0);
      const records = await stage.records("refuse", 3);
      assert.deepEqual(records.map(({ rule, limit }) => rule ?? limit), [
        "deny 127.0.0.2",
        "sessions",
        "hold",
      ]);
      stage.mark("a");
      assert.equal(await first.done(), "a");
      await stage.idle({ served: 1, refused: 3, errors: 0 });
    },
  },
  {
    name: "TLS: a reload has another certificate for the next handshake, and none for who is there",
    transports: TLS,
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      // Its handshake comes with its turn. It trusts no certificate but that of the name that it asks for.
      const renewed = { tls: { servername: "a.example" } };
      const waits = await stage.call("tls", renewed);
      await stage.until({ live: 2, held: 1 });
      stage.house.certify(stage.name, "a");
      await stage.reload();
      stage.mark("a");
      assert.equal(await first.done(), "a");
      assert.equal(JSON.parse(await waits.done()).serverName, "a.example");
      assert.equal(await (await stage.call("echo c", renewed)).done(), "c");
      await stage.idle({ served: 3, refused: 0, errors: 0 });
    },
  },
  {
    name: "who has said all before its turn comes is answered all the same",
    transports: [...STREAMS, "tls"],
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      // What it says, and that this is all, waits for its turn.
      const waits = await stage.call("echo b", { last: true });
      await stage.until({ live: 2, held: 1 });
      stage.mark("a");
      assert.equal(await first.done(), "a");
      assert.equal(await waits.done(), "b");
      const [, close] = await stage.records("close", 2);
      assert.deepEqual([close!["reason"], close!["bytesIn"], close!["bytesOut"]], ["peer", 7, 2]);
      await stage.idle({ served: 2, refused: 0, errors: 0 });
    },
  },
  {
    name: "STARTTLS: a session goes on by TLS, and its bytes are those of both",
    transports: STREAMS,
    limits: { sessions: 2 },
    tls: { alpn: "x" },
    async run(stage: Stage) {
      const call = await stage.call("starttls");
      assert.equal(await call.answer(), "go on");
      await call.startTls!("tls");
      const said = await call.done();
      const { version, serverName, authorized } = JSON.parse(said);
      assert.deepEqual([version, serverName, authorized], ["TLSv1.3", "logs.example", false]);
      const [close] = await stage.records("close", 1);
      assert.equal(close!["reason"], "peer");
      assert.deepEqual([close!["bytesIn"], close!["bytesOut"]], [
        "starttls\ntls\n".length,
        "go on\n".length + said.length + 1,
      ]);
      // The addresses are those of a connection in clear, as when it was opened.
      const [open] = await stage.records("open", 1);
      fits(open!["remote"], call.name);
      assert.equal(close!["remote"], open!["remote"]);
      for (const hook of ["verify", "setup", "handle", "finish"]) await stage.traces(hook, 1);
      await stage.idle({ served: 1, refused: 0, errors: 0 });
      await stage.refill(2);
    },
  },
  {
    name: "STARTTLS: what was said in clear behind it ends the session",
    transports: STREAMS,
    limits: { sessions: 2 },
    tls: {},
    async run(stage: Stage) {
      const call = await stage.call("starttls\necho injected");
      assert.equal(await call.dismissed(0), "go on\n");
      const [close] = await stage.records("close", 1);
      assert.deepEqual([close!["reason"], close!["code"]], ["error", "TLS_INJECTION"]);
      await stage.idle({ served: 1, refused: 0 });
      await stage.refill(2);
    },
  },
  {
    name: "STARTTLS: a handshake that fails, or takes too long, ends the session",
    transports: STREAMS,
    limits: { handshake: "400ms" },
    tls: {},
    async run(stage: Stage) {
      const silent = await stage.call("starttls");
      assert.equal(await silent.dismissed(0), "go on\n");
      const [first] = await stage.records("close", 1);
      assert.equal(first!["reason"], "handshake");
      const clear = await stage.call("starttls");
      assert.equal(await clear.answer(), "go on");
      clear.say!("not TLS\n");
      await stage.records("close", 2);
      const [, second] = stage.all({ event: "close" });
      assert.deepEqual([second!["reason"], second!["code"]], ["error", "TLS_FAILED"]);
      clear.leave();
      await stage.idle({ served: 2, refused: 0 });
    },
  },
  {
    name: "a client that begins TLS where a service speaks in clear leaves a record that says so",
    transports: STREAMS,
    async run(stage: Stage) {
      const call = await stage.call("", { header: [HALF] });
      const [error] = await stage.records("error", 1, { level: "warn" });
      assert.match(String(error!["message"]), /TLS/);
      call.leave();
      await stage.idle({ served: 1, refused: 0 });
    },
  },
];
