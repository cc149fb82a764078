import assert from "node:assert/strict";
import { test } from "node:test";
import { overflowOf } from "../../runtime/core/admission/overflow.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { checkHooks } from "../../runtime/core/hook-table.ts";
import type { Session } from "../../runtime/core/plugin.ts";
import { handoffOf } from "../support/handoff.ts";
import { gate, turns, until, within } from "../support/until.ts";

test("take: from arrival to close, each step once and in order", async () => {
  const passed = gate();
  const steps: string[] = [];
  const { admission, calls, arrive, records, of } = handoffOf({
    verify: () => Boolean(steps.push("verify")),
    setup: (() => steps.push("setup")) as never,
    async take(session: Session<number>, fd: number) {
      calls.push(`take ${fd}`);
      steps.push(`take ${session.state}`);
      await passed.passed;
      return { exit: 0, session: "mine", reason: "mine", durationMs: "mine" };
    },
    finish: () => void steps.push("finish"),
  });
  arrive(5);
  assert.deepEqual(steps, ["verify", "setup", "take 2"], "at once");
  assert.deepEqual(calls, ["blocking 5", "take 5"]);
  assert.equal(admission.live, 1);
  passed.open();
  await until("the end", () => admission.live === 0);
  assert.deepEqual(steps, ["verify", "setup", "take 2", "finish"]);
  assert.deepEqual(calls, ["blocking 5", "take 5", "close 5"]);
  assert.deepEqual(records.map(({ event, level }) => `${event} ${level}`), [
    "open info",
    "close info",
  ]);
  const [close] = of("close");
  assert.equal(close!["exit"], 0);
  assert.equal(close!.session, 1);
  assert.equal(close!["session_"], "mine");
  assert.equal(close!["reason"], "done");
  assert.equal(close!["reason_"], "mine");
  assert.equal(typeof close!["durationMs"], "number");
  assert.ok(!("bytesIn" in close!));
});

test("take: a hook without a promise is enough, and so is one that returns nothing", () => {
  const { admission, calls, arrive, of } = handoffOf({ take() {} });
  arrive(3);
  assert.deepEqual(calls, ["blocking 3", "close 3"]);
  assert.equal(admission.live, 0);
  assert.equal(of("close").length, 1);
});

test("take: who is refused is closed, and named with the rule", () => {
  const never = { take: () => assert.fail("nobody is served") };
  const rules = handoffOf(never, { access: { deny: ["192.0.2.0/24"] } });
  rules.arrive(3);
  assert.deepEqual(rules.calls, ["close 3"]);
  assert.equal(rules.of("refuse")[0]!["rule"], "deny 192.0.2.0/24");
  const asked = handoffOf({ ...never, verify: () => false });
  asked.arrive(4);
  assert.equal(asked.of("refuse")[0]!["rule"], "verify");
  assert.deepEqual(asked.calls, ["close 4"]);
  assert.equal(asked.service.counters.refused, 1);
  assert.equal(asked.service.counters.served, 0);
});

test("take: limits are those of the service, and places are given back", async () => {
  const ends: (() => void)[] = [];
  const { admission, calls, arrive, of } = handoffOf({
    take: () => new Promise<void>((resolve) => void ends.push(resolve)),
  }, { limits: { sessions: 2, perSource: 1 } });
  arrive(3, "192.0.2.1");
  arrive(4, "192.0.2.1");
  arrive(5, "192.0.2.2");
  arrive(6, "192.0.2.3");
  assert.deepEqual(of("refuse").map(({ limit }) => limit), ["perSource", "sessions"]);
  assert.deepEqual(calls.filter((each) => each.startsWith("close")), ["close 4", "close 6"]);
  assert.equal(admission.live, 2);
  for (const end of ends) end();
  await until("the end", () => admission.live === 0);
  assert.equal(admission.live, 0);
  arrive(7, "192.0.2.1");
  assert.equal(ends.length, 3);
  ends[2]!();
  await until("the end", () => admission.live === 0);
});

test("take: held ones wait, unread, and are served in order or refused after hold", async () => {
  const ends: (() => void)[] = [];
  const { admission, calls, arrive, of } = handoffOf({
    take: () => new Promise<void>((resolve) => void ends.push(resolve)),
  }, { concurrency: { strategy: "serial" }, limits: { hold: "400ms" } });
  arrive(3);
  arrive(4);
  arrive(5);
  assert.equal(of("open").length, 1);
  ends[0]!();
  await until("the second", () => of("open").length === 2);
  await until("a refusal", () => of("refuse").length === 1);
  assert.equal(of("refuse")[0]!["limit"], "hold");
  assert.deepEqual(calls, ["blocking 3", "close 3", "blocking 4", "close 5"]);
  ends[1]!();
  await until("the end", () => admission.live === 0);
  arrive(6);
  assert.equal(of("open").length, 3, "the turn was given back");
  ends[2]!();
  await until("the end", () => admission.live === 0);
});

test("take: with overflow hold who finds no room is parked until there is", async () => {
  const ends: (() => void)[] = [];
  const { admission, arrive, of } = handoffOf({
    take: () => new Promise<void>((resolve) => void ends.push(resolve)),
  }, { limits: { sessions: 1, overflow: overflowOf("wait") } });
  arrive(3);
  arrive(4);
  assert.equal(admission.live, 2);
  assert.equal(of("open").length, 1);
  ends[0]!();
  await until("the second", () => of("open").length === 2);
  ends[1]!();
  await until("the end", () => admission.live === 0);
});

test("take: lifetime tells the hook, which ends in its own time", async () => {
  let told = "";
  const { admission, calls, arrive, of } = handoffOf({
    take: ({ signal }) =>
      new Promise<{ signal: string }>((resolve) => {
        signal.addEventListener("abort", () => {
          told = (signal.reason as Error).message;
          setTimeout(() => resolve({ signal: "SIGTERM" }), 20);
        });
      }),
  }, { limits: { lifetime: "20ms" } });
  arrive(3);
  await until("the word", () => told === "lifetime");
  assert.deepEqual(calls, ["blocking 3"], "it has the descriptor still");
  await until("the end", () => admission.live === 0);
  assert.equal(of("close")[0]!["reason"], "lifetime");
  assert.equal(of("close")[0]!["signal"], "SIGTERM");
});

test("take: a hook that fails ends its session, with or without an error hook", async () => {
  const { admission, arrive, of, calls } = handoffOf({
    take: () => Promise.reject(new PorticoError("EMFILE")),
  });
  arrive(3);
  await until("the end", () => admission.live === 0);
  assert.equal(of("error")[0]!["code"], "EMFILE");
  assert.equal(of("close")[0]!["reason"], "error");
  assert.deepEqual(calls, ["blocking 3", "close 3"]);
  const seen: unknown[] = [];
  const other = handoffOf({
    setup() {
      throw new Error("no state");
    },
    take: () => assert.fail("there is no state"),
    finish: () => assert.fail("setup has not come back"),
    error: (_, error) => void seen.push((error as Error).message),
  });
  other.arrive(4);
  assert.deepEqual(seen, ["no state"]);
  assert.equal(other.admission.live, 0);
  assert.deepEqual(other.calls, ["close 4"]);
  assert.equal(other.service.counters.errors, 1);
  assert.equal(other.of("error").length, 0);
});

test("take: the session itself has nothing to write to and nothing to read from", async () => {
  const { arrive, of } = handoffOf({
    async take(session: Session) {
      assert.throws(() => session.write("x"), /whose plugin has a take hook/);
      await assert.rejects(session.send("x"), /Cannot write to a session/);
      assert.throws(() => session.end(), /take hook/);
      assert.throws(() => session.pause(), /take hook/);
      assert.throws(() => session.lines(), /Cannot read from a session/);
      assert.throws(() => session[Symbol.asyncIterator](), /take hook/);
      assert.equal(session.kind, "stream");
      assert.equal(String(session.remote), "tcp://192.0.2.1:1003");
      session.log.info("so far");
      session.abort();
      assert.ok(session.signal.aborted);
    },
  });
  arrive(3);
  await until("close", () => of("close").length === 1);
  assert.deepEqual(of("error"), []);
  assert.equal(of("close")[0]!["reason"], "aborted");
  assert.equal(of("log")[0]!.session, 1);
});

test("take: a drain that is over refuses who waits, then tells the others", async () => {
  const { admission, drain, arrive, of, calls } = handoffOf({
    take: ({ signal }) =>
      new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
  }, { concurrency: { strategy: "serial" } });
  arrive(3);
  arrive(4);
  await within("the drain", drain(20));
  assert.equal(admission.live, 0);
  assert.equal(of("refuse")[0]!["limit"], "drain");
  assert.equal(of("close")[0]!["reason"], "drain");
  arrive(5);
  assert.equal(of("refuse").length, 2);
  assert.deepEqual(calls, ["blocking 3", "close 4", "close 3", "close 5"]);
  admission.reopen();
  arrive(6);
  assert.equal(of("open").length, 2);
  void drain(0);
  await until("the end", () => admission.live === 0);
});

test("take: who waits when a drain begins is served in it", async () => {
  const ends: (() => void)[] = [];
  const { drain, arrive, of } = handoffOf({
    take: () => new Promise<void>((resolve) => void ends.push(resolve)),
  }, { concurrency: { strategy: "serial" } });
  arrive(3);
  arrive(4);
  const drained = drain(5000);
  ends[0]!();
  await until("the second", () => ends.length === 2);
  ends[1]!();
  await within("the drain", drained);
  assert.equal(of("refuse").length, 0);
  assert.equal(of("close").length, 2);
});

test("take: who ends while verify or setup is asked goes no further", async () => {
  const verify = gate();
  const first = handoffOf({
    verify: () => verify.passed.then(() => true),
    take: () => assert.fail("it has ended"),
  });
  first.arrive(3);
  await first.drain(0);
  verify.open();
  await until("the end", () => first.admission.live === 0);
  assert.deepEqual(first.calls, ["close 3"]);
  const setup = gate();
  let finished = 0;
  const second = handoffOf({
    setup: (() => setup.passed) as never,
    take: () => assert.fail("it has ended"),
    finish: () => void finished++,
  });
  second.arrive(4);
  const drained = second.drain(0);
  await turns();
  setup.open();
  await within("the drain", drained);
  assert.equal(finished, 1, "setup has come back");
  assert.deepEqual(second.calls, ["close 4"]);
  assert.equal(second.of("close")[0]!["reason"], "drain");
});

test("take is a form of its own, and may stand beside data or handle", () => {
  const take = (): void => {};
  checkHooks({ take }, "tested");
  checkHooks({ take, data() {} }, "tested");
  checkHooks({ take, handle() {} }, "tested");
  assert.throws(
    () => checkHooks({ setup() {} }, "tested"),
    /data, handle, datagram, take and fetch/,
  );
  assert.throws(
    () => checkHooks({ take, data() {}, handle() {} }, "tested"),
    /both data and handle/,
  );
  assert.throws(() => checkHooks({ take: 1 }, "tested"), /`take` that is no function/);
});
