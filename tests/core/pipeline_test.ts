import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Session } from "../../runtime/core/plugin.ts";
import { startInMemory } from "../support/in-memory.ts";
import { gate, turns, until } from "../support/until.ts";

const wait = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** Hooks that write down when they are called; each comes back at once, or later. */
function diary(later: boolean, form: "data" | "handle") {
  const pages: string[] = [];
  const note = <Value>(page: string, value: Value): Value | Promise<Value> => {
    pages.push(page);
    if (!later) return value;
    return wait().then(() => {
      pages.push(`${page} done`);
      return value;
    });
  };
  const shared = {
    verify: () => note("verify", true),
    setup: () => note("setup", { count: 0 }),
    finish: () => note("finish", undefined),
  };
  const hooks = form === "data"
    ? {
      ...shared,
      data(session: Session<{ count: number }>, chunk: Uint8Array) {
        session.state.count++;
        session.write(chunk);
        return note(`data ${session.state.count}`, undefined);
      },
      end(session: Session<{ count: number }>) {
        session.end();
        return note("end", undefined);
      },
    }
    : {
      ...shared,
      async handle(session: Session<{ count: number }>) {
        for await (const line of session.lines()) {
          session.write(line);
          await note(`data ${++session.state.count}`, undefined);
        }
        await note("end", undefined);
      },
    };
  return { pages, hooks: hooks as never };
}

describe("pipeline", () => {
  for (const form of ["data", "handle"] as const) {
    for (const later of [false, true]) {
      const how = `${form} form, hooks that come back ${later ? "later" : "at once"}`;
      test(`Pipeline calls verify, setup, data, end, finish in this order: ${how}`, async (t) => {
        const { pages, hooks } = diary(later, form);
        const server = await startInMemory(t, hooks);
        const peer = server.connect();
        peer.write("one\n");
        await until("the first answer", () => peer.text().startsWith("one"));
        await turns();
        peer.write("two\n");
        peer.end();
        await server.record("close");
        const called = pages.filter((page) => !page.endsWith("done"));
        assert.deepEqual(called, ["verify", "setup", "data 1", "data 2", "end", "finish"]);
        if (later) assert.deepEqual(pages, called.flatMap((page) => [page, `${page} done`]));
        assert.deepEqual(server.sessionEvents, ["open", "close"]);
        assert.equal(peer.text().replaceAll("\n", ""), "onetwo");
        assert.equal(peer.wasReset, false);
      });
    }
  }

  test("Pipeline serves a plugin that has nothing but data: its end is answered with ours", async (t) => {
    const server = await startInMemory(t, { data: (session, chunk) => void session.write(chunk) });
    const peer = server.connect();
    peer.write("hello");
    peer.end();
    const close = await server.record("close");
    assert.equal(peer.text(), "hello");
    assert.equal(close.bytesIn, 5);
    assert.equal(close.bytesOut, 5);
    assert.equal(close.reason, "peer");
    assert.equal(typeof close.durationMs, "number");
  });

  test("Pipeline says remote and local in open, and the same number in every record", async (t) => {
    const server = await startInMemory(t, {
      data(session, chunk) {
        session.log.info("got it", { length: chunk.length, session: 99, service: "forged" });
        throw new Error("on purpose");
      },
    });
    const first = server.connect("192.0.2.1");
    const second = server.connect("192.0.2.2");
    first.write("x");
    await server.record("error");
    first.end();
    await server.record("close");
    second.end();
    await server.record("close", 2);
    const [open, other] = server.all("open");
    assert.equal(open!.remote, "tcp://192.0.2.1:1234");
    assert.equal(open!.local, "tcp://127.0.0.1:7");
    assert.equal(open!.service, "tested");
    assert.notEqual(open!.session, other!.session);
    const mine = server.records.filter(({ session }) => session === open!.session);
    assert.deepEqual(mine.map(({ event }) => event), ["open", "log", "error", "close"]);
    assert.equal(mine[1]!.length, 1);
    assert.equal(mine[1]!.service, "tested");
  });

  test("Pipeline gives each session its own state, and verify the peer's addresses", async (t) => {
    const asked: string[] = [];
    const server = await startInMemory(t, {
      verify(peer) {
        asked.push(`${peer.kind} ${peer.remote} ${peer.local}`);
        return true;
      },
      setup: (session) => ({ name: `session of ${session.remote.host}` }) as never,
      data: (session) => void session.write((session.state as { name: string }).name),
    });
    const peers = [server.connect("192.0.2.1"), server.connect("192.0.2.2")];
    for (const peer of peers) peer.write("x");
    await until("both answers", () => peers.every((peer) => peer.text() !== ""));
    assert.deepEqual(peers.map((peer) => peer.text()), [
      "session of 192.0.2.1",
      "session of 192.0.2.2",
    ]);
    assert.equal(asked[0], "stream tcp://192.0.2.1:1234 tcp://127.0.0.1:7");
  });

  for (const later of [false, true]) {
    test(`verify false refuses, ${later ? "later" : "at once"}: no setup, an orderly end, a record`, async (t) => {
      let setups = 0;
      const server = await startInMemory(t, {
        verify: () => later ? wait().then(() => false) : false,
        setup() {
          setups++;
          return undefined as never;
        },
        data() {},
      });
      const peer = server.connect();
      peer.write("never read");
      const refuse = await server.record("refuse");
      assert.equal(refuse.rule, "verify");
      assert.equal(refuse.level, "info");
      await until("the end", () => peer.over);
      assert.equal(peer.wasReset, false);
      await turns();
      assert.equal(setups, 0);
      assert.deepEqual(server.sessionEvents, ["refuse"]);
      assert.deepEqual(server.running.status()[0]!.live, 0);
    });
  }

  test("a peer that leaves while verify is asked is not served, and leaves nothing", async (t) => {
    const { passed, open } = gate();
    let setups = 0;
    const server = await startInMemory(t, {
      verify: () => passed.then(() => true),
      setup() {
        setups++;
        return undefined as never;
      },
      data() {},
    }, { concurrency: { max: 1 } });
    server.connect().reset();
    await turns();
    open();
    await until("nobody left", () => server.running.status()[0]!.live === 0);
    assert.equal(setups, 0);
    const next = server.connect();
    await server.record("open");
    next.end();
    await server.record("close");
  });

  test("a session that is closed while setup runs is not handled, and finished once", async (t) => {
    const seen: string[] = [];
    const server = await startInMemory(t, {
      // Comes back because the session ends: after the verdict, before the close.
      setup: ({ signal }) =>
        new Promise<never>((resolve) =>
          signal.addEventListener("abort", () => resolve(undefined as never))
        ),
      handle: () => void seen.push("handle"),
      finish: () => void seen.push("finish"),
    }, { listen: ["tcp://127.0.0.1:7"] });
    server.connect();
    await until("one live", () => server.running.status()[0]!.live === 1);
    await server.running.kill();
    assert.deepEqual(seen, ["finish"]);
    assert.equal(server.running.status()[0]!.live, 0);
  });

  test("a peer that leaves while setup runs is finished, once", async (t) => {
    const { passed, open } = gate();
    let finishes = 0;
    const server = await startInMemory(t, {
      setup: () => passed as never,
      data() {},
      finish: () => void finishes++,
    });
    server.connect().reset();
    await turns();
    assert.equal(finishes, 0);
    open();
    await server.record("close");
    assert.equal(finishes, 1);
  });

  test("nothing is read before setup has come back; then nothing is lost", async (t) => {
    const { passed, open } = gate();
    const seen: string[] = [];
    const server = await startInMemory(t, {
      setup: () => passed as never,
      data: (_, chunk) => void seen.push(new TextDecoder().decode(chunk)),
      end: (session) => session.end(),
    });
    const peer = server.connect();
    peer.write("early");
    peer.end();
    await turns();
    assert.deepEqual(seen, []);
    open();
    await server.record("close");
    assert.deepEqual(seen, ["early"]);
  });

  test("reading waits for a promise of data, and the end too", async (t) => {
    const gates = [gate(), gate(), gate()];
    const pages: string[] = [];
    const server = await startInMemory(t, {
      data(session, chunk) {
        const text = new TextDecoder().decode(chunk);
        pages.push(text);
        return gates[pages.length - 1]!.passed.then(() => void session.write(text.toUpperCase()));
      },
      end(session) {
        pages.push("end");
        session.end();
      },
    });
    const peer = server.connect();
    peer.write("one");
    peer.write("two");
    peer.write("three");
    peer.end();
    for (const [i, { open }] of gates.entries()) {
      await turns();
      assert.equal(pages.length, i + 1);
      open();
    }
    await server.record("close");
    assert.deepEqual(pages, ["one", "two", "three", "end"]);
    assert.equal(peer.text(), "ONETWOTHREE");
  });

  test("session.pause stops data until resume, also while a promise of data is awaited", async (t) => {
    const { passed, open } = gate();
    const sessions: Session[] = [];
    let seen = 0;
    const server = await startInMemory(t, {
      data(session) {
        seen++;
        sessions.push(session as Session);
        session.pause();
        return passed;
      },
    });
    const peer = server.connect();
    peer.write("one");
    peer.write("two");
    await turns();
    open();
    await turns();
    assert.equal(seen, 1);
    sessions[0]!.resume();
    await until("the second chunk", () => seen === 2);
    sessions[0]!.resume();
  });
});
