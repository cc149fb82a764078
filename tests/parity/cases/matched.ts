/** Who comes by a service with `match`: told apart by what is said first, and from then on the other service's. */
import assert from "node:assert/strict";
import process from "node:process";
import type { Call } from "../calls.ts";
import { type Case, type Front, STREAMS, type Transport } from "../case.ts";
import type { Stage } from "../stage.ts";
import { Address, type JsonRecord, writeProxyVersion2 } from "../support.ts";
import { addressOf, fits } from "./sights.ts";

const TLS_TOO: readonly Transport[] = [...STREAMS, "tls"];

/** Those that say a command of two. */
const LINES: Front = { routes: [{ when: { prefix: ["echo ", "version"] } }] };
/** Who says too little, or nothing, is not waited for. */
const SHORT = "1500ms";

/** Its address as records have it: the scheme is that of the endpoint, which is in clear. */
function nameOf({ name }: Call): string | RegExp {
  return typeof name === "string" ? name.replace(/^tls:/, "tcp:") : name;
}

/** Looks at the last refusal of so many, of either service. */
async function refused(
  stage: Stage,
  service: string,
  call: Call,
  why: { readonly rule: string } | { readonly limit: string },
  count = 1,
): Promise<JsonRecord> {
  const record = (await stage.records("refuse", count, { service })).at(-1)!;
  const { level, remote, local } = record;
  const full = "limit" in why && why.limit !== "drain";
  const wanted = { level: full ? "warn" : "info", ...why };
  const { rule, limit } = record as { rule?: string; limit?: string };
  assert.deepEqual({ level, ...(rule && { rule }), ...(limit && { limit }) }, wanted);
  fits(remote, nameOf(call));
  assert.equal(addressOf(String(local)), addressOf(await stage.endpoint()));
  await call.refused(0);
  return record;
}

export const MATCHED: readonly Case[] = [
  {
    name: "match: each of several ways leads to the service, with all that was said",
    transports: TLS_TOO,
    needs: "descriptors",
    match: {
      routes: [
        { when: { tls: { sni: "*.example.org" } } },
        { when: { tls: { sni: "logs.example", alpn: ["x", "h2"] } } },
        { when: "tls" },
        { when: "http", tls: false },
        { when: "ssh", tls: false },
        { when: { prefix: ["echo ", "who"] }, tls: false },
        { when: { hex: "76 65 72 73" }, tls: false },
      ],
    },
    async run(stage: Stage) {
      const clear = { clear: true };
      const said = ["GET / HTTP/1.1", "SSH-2.0-x", "echo x", "echo y", "version"];
      for (const line of said) {
        const call = await stage.call(line, clear);
        assert.equal(await call.done(), { v: "1", e: line.slice(5) }[line[0]!] ?? line);
      }
      // To the handler and its record it is as if it had come at once.
      const call = await stage.call("who", clear);
      const { remote, local, via } = JSON.parse(await call.done());
      fits(remote, call.name);
      assert.equal(addressOf(local), addressOf(await stage.endpoint()));
      assert.equal(via, undefined);
      const open = (await stage.records("open", 6)).at(-1)!;
      assert.deepEqual([open["remote"], open["local"]], [remote, local]);
      assert.deepEqual((await stage.records("close", 6)).map(({ bytesIn }) => bytesIn), [
        ...said.map((line) => line.length + 1),
        4,
      ]);
      let served = 6;
      if (stage.transport === "tls") {
        for (const ALPNProtocols of [["h2"], ["http/1.1"]]) {
          const call = await stage.call("tls", { tls: { ALPNProtocols } });
          const { serverName, version } = JSON.parse(await call.done());
          assert.deepEqual([serverName, version], ["logs.example", "TLSv1.3"]);
          const open = (await stage.records("open", ++served)).at(-1)!;
          assert.equal(open["remote"], nameOf(call));
        }
      }
      const secure = stage.transport === "tls" ? 1 : 0;
      const { routes } = await stage.until({ served, refused: 0, live: 0 }, stage.front);
      assert.deepEqual(routes!.map(({ count }) => count), [0, secure, secure, 1, 1, 3, 1]);
      await stage.idle({ served, refused: 0, errors: 0 });
      const events = stage.all({ service: stage.front }).map(({ event }) => event);
      assert.deepEqual(events, ["listening"]);
    },
  },
  {
    name: "match: who says nothing, or too little, goes to otherwise in time, and stalls nobody",
    transports: STREAMS,
    needs: "descriptors",
    match: { wait: SHORT, routes: [{ when: "ssh" }], otherwise: true },
    async run(stage: Stage) {
      const silent = await stage.call("");
      await stage.until({ live: 1 }, stage.front);
      const slow = await stage.call("SS", { half: true });
      assert.equal(await stage.ask("SSH-2.0-x"), "SSH-2.0-x");
      // Their time is over.
      await stage.until({ live: 0, served: 3 }, stage.front);
      silent.say!("echo now\n");
      assert.equal(await silent.done(), "now");
      slow.say!("H-2.0-x\n");
      assert.equal(await slow.done(), "SSH-2.0-x");
      // Who says no more cannot become anybody else.
      assert.equal(await (await stage.call("version", { half: true, last: true })).answer(), "1");
      const { routes } = await stage.until({ live: 0, served: 4, refused: 0 }, stage.front);
      assert.deepEqual(routes!.map(({ count }) => count), [1, 3]);
      await stage.idle({ served: 4, refused: 0 });
    },
  },
  {
    name: "match: who is none of them is refused, at once, in time, or when it has gone",
    transports: STREAMS,
    needs: "descriptors",
    match: { ...LINES, wait: SHORT },
    async run(stage: Stage) {
      const { front } = stage;
      const why = { rule: "match" };
      await refused(stage, front, await stage.call("GET / HTTP/1.1"), why, 1);
      await refused(stage, front, await stage.call("ech", { half: true, last: true }), why, 2);
      const little = await stage.call("ech", { half: true });
      const silent = await stage.call("");
      await stage.records("refuse", 4, { service: front, ...why });
      for (const call of [little, silent]) await call.refused(0);
      (await stage.call("ech", { half: true })).leave();
      await stage.records("refuse", 5, { service: front, ...why });
      assert.equal(await stage.ask("echo after"), "after");
      await stage.until({ live: 0, served: 1, refused: 5, tallied: { match: 5 } }, front);
      await stage.idle({ served: 1, refused: 0, errors: 0 });
      await stage.traces("verify", 1);
    },
  },
  {
    name: "match: rules and limits of the one in front come first, then those of the service",
    transports: ["tcp"],
    needs: "addresses",
    access: { deny: ["127.0.0.8"] },
    limits: { perSource: 1 },
    match: { ...LINES, more: { access: { deny: ["127.0.0.9"] }, limits: { perSource: 1 } } },
    async run(stage: Stage) {
      const { front, name } = stage;
      const denied = await stage.call("echo refused", { from: "127.0.0.9" });
      await refused(stage, front, denied, { rule: "deny 127.0.0.9" }, 1);
      // The place of who is told apart is one of the front's, until that is done.
      const waits = await stage.call("ech", { half: true, from: "127.0.0.2" });
      await stage.until({ live: 1 }, front);
      const second = await stage.call("echo refused", { from: "127.0.0.2" });
      await refused(stage, front, second, { limit: "perSource" }, 2);
      waits.leave();
      await stage.until({ live: 0 }, front);
      // Then it is one of the service's.
      const first = await stage.call("echo a", { from: "127.0.0.2" });
      assert.equal(await first.answer(), "a");
      const again = await stage.call("echo refused", { from: "127.0.0.2" });
      await refused(stage, name, again, { limit: "perSource" }, 1);
      const other = await stage.call("echo refused", { from: "127.0.0.8" });
      await refused(stage, name, other, { rule: "deny 127.0.0.8" }, 2);
      assert.equal(await first.done(), "a");
      // All three were led there.
      const { routes } = await stage.until({ served: 3 }, front);
      assert.equal(routes![0]!.count, 3);
      await stage.idle({ served: 1, refused: 2 });
      await stage.traces("verify", 1);
    },
  },
  {
    name: "match: who has been led to the service waits for its turn, within its limits",
    transports: TLS_TOO,
    needs: "descriptors",
    limits: { sessions: 2 },
    match: { routes: [{ when: { prefix: ["hold ", "echo "] }, tls: false }, { when: "tls" }] },
    async run(stage: Stage) {
      const first = await stage.occupy("a");
      const second = await stage.call("echo b");
      await stage.until({ live: 2, held: 1 });
      await stage.until({ live: 0, served: 2 }, stage.front);
      const third = await stage.call("echo refused");
      await refused(stage, stage.name, third, { limit: "sessions" });
      stage.mark("a");
      assert.equal(await first.done(), "a");
      assert.equal(await second.done(), "b");
      await stage.idle({ served: 2, refused: 1, errors: 0 });
      await stage.refill(2);
    },
  },
  {
    name: "match: a service that is suspended has those wait who are led to it, and drained, too",
    transports: STREAMS,
    needs: "descriptors",
    match: LINES,
    async run(stage: Stage) {
      const { front } = stage;
      await stage.control("suspend");
      const first = await stage.call("echo a");
      await stage.until({ served: 1 }, front);
      await stage.until({ state: "suspended", served: 0, refused: 0 });
      await stage.control("resume");
      assert.equal(await first.done(), "a");
      await stage.control("drain");
      const second = await stage.call("version");
      await stage.until({ served: 2 }, front);
      // At a reload it is one that runs.
      const version = await stage.change();
      assert.equal(await second.done(), version);
      await stage.control("suspend");
      const third = await stage.call("echo c");
      await stage.until({ served: 3 }, front);
      await stage.control("stop");
      await refused(stage, stage.name, third, { limit: "drain" });
      const fourth = await stage.call("echo d");
      const { message } = await refused(stage, front, fourth, { rule: "match" });
      assert.equal(message, `the service "${stage.name}" does not run`);
      await stage.until({ live: 0, served: 3, refused: 1 }, front);
    },
  },
  {
    name: "match: who is undecided at a reload comes to the service as it is then",
    transports: TLS_TOO,
    needs: "descriptors",
    match: { routes: [{ when: "tls" }, { when: { prefix: ["echo ", "version"] }, tls: false }] },
    async run(stage: Stage) {
      const call = await stage.call("vers", { half: true, clear: true });
      await stage.until({ live: 1 }, stage.front);
      const version = await stage.change();
      call.say!("ion\n");
      assert.equal(await call.done(), version);
      assert.equal(await stage.ask("version"), version);
      await stage.idle({ served: 2, refused: 0, errors: 0 });
    },
  },
  {
    name: "match: a PROXY header comes before it; both services see who is told of",
    transports: ["tcp"],
    needs: "descriptors",
    access: { deny: ["203.0.113.8"] },
    match: {
      ...LINES,
      routes: [{ when: { prefix: ["echo ", "who"] } }],
      more: { proxyProtocol: { from: ["127.0.0.1"] }, access: { deny: ["203.0.113.9"] } },
    },
    async run(stage: Stage) {
      const { front, name } = stage;
      const local = new Address("tcp", "198.51.100.1", 22, "");
      const header = (host: string): readonly Uint8Array[] => [
        writeProxyVersion2(new Address("tcp", host, 5, ""), local),
      ];
      const call = await stage.call("wh", { header: header("192.0.2.7"), half: true });
      await stage.until({ live: 1 }, front);
      call.say!("o\n");
      const seen = JSON.parse(await call.done());
      assert.deepEqual([seen.remote, seen.local], ["tcp://192.0.2.7:5", "tcp://198.51.100.1:22"]);
      assert.equal(seen.via.remote, call.name);
      const [open] = await stage.records("open", 1);
      assert.deepEqual([open!["remote"], open!["via"]], ["tcp://192.0.2.7:5", call.name]);
      for (const [host, service] of [["203.0.113.9", front], ["203.0.113.8", name]] as const) {
        const denied = await stage.call("echo refused", { header: header(host) });
        const [record] = await stage.records("refuse", 1, { service, rule: `deny ${host}` });
        assert.equal(record!["remote"], `tcp://${host}:5`);
        await denied.refused(0);
      }
      await stage.idle({ served: 1, refused: 1, errors: 0 });
    },
  },
  {
    name: "match: who has connected to a Unix socket is known to a sink that asks",
    transports: ["unix"],
    needs: "descriptors",
    fields: ["remote", "user"],
    match: LINES,
    async run(stage: Stage) {
      assert.equal(await stage.ask("version"), "1");
      const [open] = await stage.records("open", 1);
      assert.equal(open!["uid"], process.getuid!());
      await stage.until({ served: 1, refused: 0 }, stage.front);
    },
  },
];
