import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import type { Hooks, Session } from "../../runtime/core/plugin.ts";
import { startInMemory } from "../support/in-memory.ts";
import { turns, until } from "../support/until.ts";

type Hook = "verify" | "setup" | "data" | "end" | "handle" | "finish";

/** An echo, one hook of which fails for the peer 192.0.2.66. */
function breaking(broken: Hook, later: boolean, finished: string[]) {
  const fail = (host: string): void | Promise<void> => {
    if (host !== "192.0.2.66") return;
    const error = new Error(`${broken} broke`);
    if (!later) throw error;
    return Promise.reject(error);
  };
  const run = (hook: Hook, { remote }: { readonly remote: { readonly host: string } }) =>
    hook === broken ? fail(remote.host) : undefined;
  const answer = <Value>(failing: void | Promise<void>, value: Value) =>
    failing === undefined ? value : failing.then(() => value);
  const push = broken !== "handle";
  return {
    verify: (peer: Session) => answer(run("verify", peer), true),
    setup: (session: Session) => answer(run("setup", session), undefined),
    ...(push && {
      data(session: Session, chunk: Uint8Array) {
        session.write(chunk);
        return run("data", session);
      },
      end(session: Session) {
        session.end();
        return run("end", session);
      },
    }),
    ...(!push && {
      async handle(session: Session) {
        for await (const chunk of session) {
          session.write(chunk);
          await run("handle", session);
        }
      },
    }),
    finish(session: Session) {
      finished.push(session.remote.host);
      return run("finish", session);
    },
  } as never;
}

const HOOKS: readonly Hook[] = ["verify", "setup", "data", "end", "handle", "finish"];

for (const later of [false, true]) {
  describe(`hooks that ${later ? "reject" : "throw"}`, () => {
    for (const broken of HOOKS) {
      test(`${broken}: this session ends, nothing else is disturbed, finish is called once`, async (t) => {
        const finished: string[] = [];
        const server = await startInMemory(t, breaking(broken, later, finished), {
          listen: ["tcp://127.0.0.1:7"],
        });
        const good = server.connect("192.0.2.1");
        good.write("before ");
        const bad = server.connect("192.0.2.66");
        bad.write("x");
        bad.end();
        const error = await server.record("error");
        assert.equal(error.level, "error");
        assert.equal(error.side, "plugin");
        assert.equal(error.code, "HOOK_FAILED");
        assert.equal(error.message, `${broken} broke`);
        assert.match(String(error.stack), /failures_test/);
        await until("the end of the bad one", () => bad.over);
        await until("one left", () => server.running.status()[0]!.live === 1);
        good.write("after");
        await until("the echo", () => good.text() === "before after");
        good.end();
        await until("the finish", () => finished.includes("192.0.2.1"));
        await until("nobody left", () => server.running.status()[0]!.live === 0);
        assert.equal(server.all("error").length, 1);
        const times = finished.filter((host) => host === "192.0.2.66").length;
        assert.equal(times, broken === "verify" || broken === "setup" ? 0 : 1);
        const session = server.all("error")[0]!.session;
        const closes = server.all("close").filter((each) => each.session === session);
        assert.equal(closes.length, broken === "verify" ? 0 : 1);
      });

      test(`${broken}: a datagram's failure is reported, the next one is answered`, async (t) => {
        if (broken === "end") return t.skip("datagrams have no end");
        const finished: string[] = [];
        const server = await startInMemory(t, breaking(broken, later, finished), {
          listen: ["udp://127.0.0.1:7"],
        });
        const bad = new Address("udp", "192.0.2.66", 5353, "");
        server.send("bad", bad);
        const error = await server.record("error");
        assert.equal(error.message, `${broken} broke`);
        assert.equal(error.side, "plugin");
        server.send("good");
        await until("the answer", () => server.answers().length === 1);
        await until("nothing held", () => server.running.status()[0]!.live === 0);
        assert.deepEqual(server.answers(), ["good"]);
        assert.equal(server.all("error").length, 1);
        const times = finished.filter((host) => host === "192.0.2.66").length;
        assert.equal(times, broken === "verify" || broken === "setup" ? 0 : 1);
      });
    }
  });
}

describe("error", () => {
  test("the error hook gets what was thrown, may answer, and ends the session in order", async (t) => {
    const thrown = new Error("on purpose");
    const caught: unknown[] = [];
    let finishes = 0;
    const server = await startInMemory(t, {
      data() {
        throw thrown;
      },
      error(session, error) {
        caught.push(error);
        session.write("sorry");
      },
      finish: () => void finishes++,
    });
    const peer = server.connect();
    peer.write("x");
    await until("the answer", () => peer.text() === "sorry");
    peer.end();
    const close = await server.record("close");
    assert.equal(close.reason, "error");
    assert.deepEqual(caught, [thrown]);
    assert.equal(finishes, 1);
    assert.equal(server.all("error").length, 0, "the hook has taken it over");
    assert.equal(server.running.status()[0]!.errors, 1);
  });

  test("an error hook that fails is reported; finish is called all the same", async (t) => {
    for (const later of [false, true]) {
      let finishes = 0;
      const server = await startInMemory(t, {
        data() {
          throw new Error("first");
        },
        error() {
          if (!later) throw new Error("second");
          return Promise.reject(new Error("second"));
        },
        finish: () => void finishes++,
      });
      const peer = server.connect();
      peer.write("x");
      await server.record("error");
      // It is lingered for otherwise.
      peer.end();
      await server.record("close");
      assert.deepEqual(server.all("error").map(({ message }) => message), ["second"]);
      assert.equal(finishes, 1);
    }
  });

  test("an error hook may answer, and throw again what it leaves to the log: it is counted once", async (t) => {
    for (const kind of ["stream", "datagram"] as const) {
      for (const thrown of [new Error("on purpose"), new PorticoError("PROTOCOL_ERROR")]) {
        const server = await startInMemory(t, {
          data() {
            throw thrown;
          },
          error(session, error) {
            session.write("sorry");
            throw error;
          },
        }, kind === "stream" ? {} : { listen: ["udp://127.0.0.1:0"] });
        if (kind === "stream") {
          const peer = server.connect();
          peer.write("x");
          await until("the answer", () => peer.text() === "sorry");
          peer.end();
        } else server.send("x");
        const record = await server.record("error");
        assert.equal(record.message, thrown.message);
        assert.equal(server.all("error").length, 1);
        assert.equal(server.running.status()[0]!.errors, 1);
      }
    }
  });

  test("what is no Error can be thrown too", async (t) => {
    const server = await startInMemory(t, {
      data() {
        throw "a text";
      },
    });
    server.connect().write("x");
    assert.equal((await server.record("error")).message, "a text");
  });

  test("an error of side peer, thrown by a plugin, is a debug record", async (t) => {
    const server = await startInMemory(t, {
      data() {
        throw new PorticoError("FRAME_TOO_LONG");
      },
    });
    server.connect().write("x");
    const error = await server.record("error");
    assert.equal(error.level, "debug");
    assert.equal(error.side, "peer");
    assert.equal(error.stack, undefined);
  });

  test("reads that end because the peer has gone are nobody's error", async (t) => {
    const server = await startInMemory(t, {
      handle: async (session) => void await session.readExactly(10),
    });
    const peer = server.connect();
    peer.write("123");
    await turns();
    peer.reset();
    const close = await server.record("close");
    assert.equal(close.reason, "reset");
    assert.equal(server.all("error").length, 0);
  });

  test("a peer that ends in the middle of a frame is an error of side peer", async (t) => {
    const server = await startInMemory(t, {
      handle: async (session) => void await session.readExactly(10),
    });
    const peer = server.connect();
    peer.write("123");
    peer.end();
    const error = await server.record("error");
    assert.equal(error.code, "UNEXPECTED_END");
    assert.equal(error.level, "debug");
    await server.record("close");
  });

  test("a hook that rejects after its session has gone is reported, once", async (t) => {
    let fail: (error: Error) => void = () => {};
    let finishes = 0;
    const server = await startInMemory(t, {
      data: () => new Promise((_, reject) => fail = reject),
      finish: () => void finishes++,
    });
    const peer = server.connect();
    peer.write("x");
    await turns();
    peer.reset();
    // The connection is paused while the hook runs; memory tells all the same.
    await turns();
    assert.equal(finishes, 0, "a hook is running");
    fail(new Error("too late"));
    const close = await server.record("close");
    assert.equal(finishes, 1);
    assert.deepEqual(server.all("error").map(({ message }) => message), ["too late"]);
    assert.equal(close.session, server.all("error")[0]!.session);
  });

  test("a stop hook that fails is reported, and the service has stopped", async (t) => {
    const server = await startInMemory(t, {
      data() {},
      stop: () => Promise.reject(new Error("no way")),
    });
    await server.running.stop();
    assert.equal(server.all("error")[0]!.message, "no way");
    assert.equal(server.all("error")[0]!.session, undefined);
  });
});

describe("the end after an error", () => {
  /** Where the hook fails when it has answered. */
  const FAILING: Readonly<Record<string, Hooks<never>>> = {
    data: {
      data(session) {
        session.write("500 so sorry\n");
        throw new Error("data broke");
      },
    },
    "data, later": {
      async data(session) {
        await Promise.resolve();
        session.write("500 so sorry\n");
        throw new Error("data broke");
      },
    },
    handle: {
      async handle(session) {
        await session.readExactly(1);
        session.write("500 so sorry\n");
        throw new PorticoError("FRAME_TOO_LONG");
      },
    },
    finish: {
      async handle(session) {
        await session.readExactly(1);
        session.write("500 so sorry\n");
      },
      finish() {
        throw new Error("finish broke");
      },
    },
  };

  for (const [hook, hooks] of Object.entries(FAILING)) {
    test(`what was written before ${hook} failed arrives, then the end: no reset`, async (t) => {
      const server = await startInMemory(t, hooks, { listen: ["tcp://127.0.0.1:7"] });
      const peer = server.connect();
      peer.write("x");
      await until("the answer", () => peer.text() === "500 so sorry\n");
      assert.equal(peer.wasReset, false);
      peer.end();
      const close = await server.record("close");
      assert.equal(close.reason, "error");
      assert.equal(server.all("error").length, 1);
    });
  }
});
