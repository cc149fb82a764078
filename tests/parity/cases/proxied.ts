/** Peers that come through a balancer, which tells who they are: the PROXY protocol. */
import assert from "node:assert/strict";
import type { Call, Calling } from "../calls.ts";
import { type Case, SESSIONS, STREAMS, type Transport } from "../case.ts";
import type { Stage } from "../stage.ts";
import { Address, type JsonRecord, writeProxyVersion1, writeProxyVersion2 } from "../support.ts";
import { fits } from "./sights.ts";

/** Those that have addresses, and a header before what they say. */
const ADDRESSED: readonly Transport[] = ["tcp", "udp"];

const FROM = { from: ["127.0.0.1", "127.0.0.3"], wait: "20s" };
const HOST = "192.0.2.7";
const OTHER = "203.0.113.9";

function addresses(stage: Stage, host: string): readonly [peer: Address, here: Address] {
  const transport = stage.kind === "datagram" ? "udp" : "tcp";
  return [new Address(transport, host, 50000, ""), new Address(transport, "198.51.100.1", 53, "")];
}

/** A header that tells of somebody. */
function header(stage: Stage, host: string = HOST): Uint8Array {
  return writeProxyVersion2(...addresses(stage, host), { authority: "a.example" }, true);
}

/** Its address, and that of the balancer, as a record has them. */
function sees(stage: Stage, record: JsonRecord, call: Call, host: string = HOST): void {
  const [peer] = addresses(stage, host);
  assert.equal(record["remote"], String(peer));
  fits(record["via"], call.name);
}

/** Looks at the one refusal that there was. */
async function refused(
  stage: Stage,
  call: Call,
  why: { readonly rule: string } | { readonly limit: string },
): Promise<JsonRecord> {
  const [record] = await stage.records("refuse", 1);
  const level = "limit" in why ? "warn" : stage.kind === "datagram" ? "debug" : "info";
  const { rule, limit } = record as { rule?: string; limit?: string };
  assert.deepEqual({ level: record!.level, ...(rule && { rule }), ...(limit && { limit }) }, {
    level,
    ...why,
  });
  await call.refused(403);
  const cause = "rule" in why ? why.rule : why.limit;
  await stage.until({ refused: 1, tallied: { [cause]: 1 } });
  return record!;
}

/** The others are served, and one refusal is all there was. */
async function goesOn(stage: Stage, served: number): Promise<void> {
  const call = await stage.call("echo after", { header: [header(stage)] });
  assert.equal(await call.done(), "after");
  await stage.idle({ served: served + 1, refused: 1, errors: 0 });
  await stage.records("open", served + 1);
  await stage.records("close", served + 1);
}

export const PROXIED: readonly Case[] = [
  {
    name: "a handler sees whom a balancer tells of, and the balancer in `via`",
    transports: SESSIONS,
    proxyProtocol: FROM,
    async run(stage: Stage) {
      const call = await stage.call("who", { header: [header(stage)] });
      const { kind, remote, local, via } = JSON.parse(await call.done());
      const [peer, here] = addresses(stage, HOST);
      assert.deepEqual([kind, remote, local], [stage.kind, String(peer), String(here)]);
      assert.deepEqual([via.version, via.authority], [2, "a.example"]);
      fits(via.remote, call.name);
      const [open] = await stage.records("open", 1);
      sees(stage, open!, call);
      assert.equal(open!["local"], String(here));
      const { served } = await stage.idle({ served: 1, refused: 0, errors: 0 });
      assert.equal(served, 1);
      // What a header takes is nobody's bytes.
      const [close] = await stage.records("close", 1);
      assert.equal(close!["bytesIn"], "who\n".length);
    },
  },
  {
    name: "a header that comes in two pieces is read as one, also one of version 1",
    transports: STREAMS,
    proxyProtocol: FROM,
    async run(stage: Stage) {
      const v1 = writeProxyVersion1(...addresses(stage, HOST));
      for (const whole of [header(stage), v1]) {
        for (const at of [1, 13, whole.length - 1]) {
          const pieces = [whole.subarray(0, at), whole.subarray(at)];
          const call = await stage.call("who", { header: pieces });
          const { remote } = JSON.parse(await call.done());
          assert.equal(remote, String(addresses(stage, HOST)[0]));
        }
        // What the peer says may come later.
        const late = await stage.call("echo late", { header: [whole, new Uint8Array()] });
        assert.equal(await late.done(), "late");
      }
      await stage.idle({ served: 8, refused: 0, errors: 0 });
    },
  },
  {
    name: "refused by a rule about whom the balancer tells of",
    transports: SESSIONS,
    proxyProtocol: FROM,
    access: { deny: [OTHER] },
    async run(stage: Stage) {
      const call = await stage.call("echo refused", { header: [header(stage, OTHER)] });
      const record = await refused(stage, call, { rule: `deny ${OTHER}` });
      sees(stage, record, call, OTHER);
      await goesOn(stage, 0);
    },
  },
  {
    name: "a limit for each source counts whom balancers tell of, by whichever they come",
    transports: ADDRESSED,
    needs: "addresses",
    proxyProtocol: FROM,
    limits: { perSource: 1 },
    async run(stage: Stage) {
      const first = await stage.occupy("a", { header: [header(stage)] });
      const again = { header: [header(stage)], from: "127.0.0.3" };
      const call = await stage.call("echo refused", again);
      sees(stage, await refused(stage, call, { limit: "perSource" }), call);
      // Somebody else of the same balancer is not counted with it.
      const other = await stage.call("echo other", { header: [header(stage, OTHER)] });
      await stage.until({ live: 2, held: 1 });
      stage.mark("a");
      assert.equal(await first.done(), "a");
      assert.equal(await other.done(), "other");
      await stage.idle();
      await goesOn(stage, 2);
    },
  },
  {
    name: "a header from whoever may not send one is refused, and not believed",
    transports: ADDRESSED,
    needs: "addresses",
    proxyProtocol: FROM,
    access: { deny: ["127.0.0.5"] },
    async run(stage: Stage) {
      const from = { from: "127.0.0.2", header: [header(stage, OTHER)] };
      const call = await stage.call("echo refused", from);
      const record = await refused(stage, call, { rule: "proxyProtocol" });
      assert.equal(record["remote"], call.name);
      assert.equal(record["via"], undefined);
      await goesOn(stage, 0);
    },
  },
  {
    name: "with accept, too, and whoever sends none is served as itself",
    transports: ADDRESSED,
    needs: "addresses",
    proxyProtocol: { ...FROM, mode: "accept" },
    async run(stage: Stage) {
      const liar = await stage.call("echo refused", { from: "127.0.0.2", header: [header(stage)] });
      await refused(stage, liar, { rule: "proxyProtocol" });
      for (const from of ["127.0.0.1", "127.0.0.2"]) {
        const call = await stage.call("who", { from });
        const { remote, via } = JSON.parse(await call.done());
        assert.equal(remote, call.name);
        assert.equal(via, undefined);
      }
      await goesOn(stage, 2);
    },
  },
  {
    name: "without a header, where there has to be one, refused by the limit that says so",
    transports: SESSIONS,
    proxyProtocol: FROM,
    async run(stage: Stage) {
      const call = await stage.call("echo refused");
      const record = await refused(stage, call, { limit: "proxyProtocol" });
      assert.equal(record["message"], "there is no PROXY header");
      await goesOn(stage, 0);
    },
  },
  {
    name: "a header that does not come whole, or not in time, is refused by the limit that says so",
    transports: STREAMS,
    proxyProtocol: { ...FROM, wait: "300ms" },
    async run(stage: Stage) {
      const begin = writeProxyVersion1(...addresses(stage, HOST)).subarray(0, 10);
      const late = /no PROXY header within 300 ms/;
      const ways: readonly (readonly [Calling, RegExp])[] = [
        [{}, late],
        [{ header: [begin] }, late],
        [{ header: [begin], last: true }, /ended before/],
        [{ header: [Buffer.from("PROXY TCP4 1.2.3.4 5.6.7.8 99999 1\r\n")] }, /"99999" as a port/],
      ];
      for (const [at, [calling, why]] of ways.entries()) {
        const call = await stage.call("", calling);
        const records = await stage.records("refuse", at + 1, { limit: "proxyProtocol" });
        assert.match(String(records[at]!["message"]), why);
        await call.refused(0);
      }
      await stage.idle({ served: 0, refused: 4, errors: 0, tallied: { proxyProtocol: 4 } });
    },
  },
  {
    name: "with accept, who says nothing in time is served as itself",
    transports: STREAMS,
    proxyProtocol: { ...FROM, mode: "accept", wait: "300ms" },
    async run(stage: Stage) {
      const call = await stage.call("");
      await stage.until({ live: 1, served: 1 });
      call.say!("who\n");
      const { remote, via } = JSON.parse(await call.done());
      fits(remote, call.name);
      assert.equal(via, undefined);
      await stage.idle({ served: 1, refused: 0 });
    },
  },
  {
    name: "a header with a wrong checksum is refused",
    transports: SESSIONS,
    proxyProtocol: FROM,
    async run(stage: Stage) {
      const wrong = header(stage).map((byte, at) => at === 20 ? byte ^ 1 : byte);
      const call = await stage.call("echo refused", { header: [wrong] });
      const record = await refused(stage, call, { limit: "proxyProtocol" });
      assert.match(String(record["message"]), /checksum/);
      await goesOn(stage, 0);
    },
  },
  {
    name: "who is told of nobody is the balancer itself",
    transports: SESSIONS,
    proxyProtocol: FROM,
    async run(stage: Stage) {
      const local = writeProxyVersion2(undefined, undefined);
      const call = await stage.call("who", { header: [local] });
      const { remote, via } = JSON.parse(await call.done());
      fits(remote, call.name);
      assert.equal(via, undefined);
      await stage.idle({ served: 1, refused: 0 });
    },
  },
];
