/** What a plugin throws may be anything: it is one record of bounded length, and ends its own session only. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Hooks } from "../../runtime/core/plugin.ts";
import { startInMemory } from "../support/in-memory.ts";
import { boom, ODD } from "../support/odd-values.ts";
import { until } from "../support/until.ts";

/** How a hook comes to it. */
const WAYS: Readonly<Record<string, (value: unknown) => Hooks<never>>> = {
  throws: (value) => ({
    data() {
      throw value;
    },
  }),
  rejects: (value) => ({ data: () => Promise.reject(value) }),
  "throws in setup": (value) => ({
    setup() {
      throw value;
    },
    data() {},
  }),
  "rejects in handle": (value) => ({ handle: () => Promise.reject(value) }),
  "throws in finish": (value) => ({
    data: (session) => session.end(),
    finish() {
      throw value;
    },
  }),
  "throws in error": (value) => ({
    data: () => Promise.reject(new Error("first")),
    error() {
      throw value;
    },
  }),
  "rejects in verify": (value) => ({ verify: () => Promise.reject(value), data() {} }),
};

for (const [way, hooksOf] of Object.entries(WAYS)) {
  describe(`a hook that ${way}`, () => {
    for (const [what, make] of Object.entries(ODD)) {
      test(`${what}: one record, this session ends, others are served`, async (t) => {
        const hooks = hooksOf(make());
        const server = await startInMemory(t, hooks);
        const peer = server.connect();
        peer.write("x");
        peer.end();
        const error = await server.record("error");
        assert.equal(error.code, "HOOK_FAILED");
        assert.ok(JSON.stringify(error).length < 40_000, "its length is bounded");
        await until("the end", () => server.running.status()[0]!.live === 0);
        server.send("x");
        await server.record("error", 2);
        await until("the end of the datagram", () => server.running.status()[0]!.live === 0);
        assert.equal(server.all("error").length, 2);
      });
    }
  });
}

/** What `then` may be, of what a hook returns that is no promise. */
const THENS: Readonly<Record<string, () => unknown>> = {
  "a getter that throws": () => Object.defineProperty({}, "then", { get: boom }),
  "a method that throws": () => ({ then: boom }),
  "a method that calls back twice": () => ({
    then(resolve: (value: unknown) => void) {
      resolve("one");
      resolve("two");
    },
  }),
};

describe("setup that returns an object whose then is", () => {
  for (const [what, make] of Object.entries(THENS)) {
    test(`${what}: the session ends or is served, others are`, async (t) => {
      let odd = true;
      const server = await startInMemory(t, {
        setup: () => (odd ? make() : undefined) as never,
        data: (session, chunk) => void session.write(chunk),
      });
      const first = server.connect();
      first.write("x");
      await until("an end, or an echo", () => first.over || first.text() === "x");
      odd = false;
      first.end();
      const second = server.connect();
      second.write("y");
      await until("the echo", () => second.text() === "y");
    });
  }
});

describe("a log with odd fields", () => {
  for (const [what, make] of Object.entries(ODD)) {
    test(`${what}: one record of bounded length, and the session goes on`, async (t) => {
      const server = await startInMemory(t, {
        data(session, chunk) {
          session.log.info("odd", { it: make(), right: 1 });
          session.log.info("odd", make() as never);
          session.log.info(
            make() as never,
            Object.defineProperty({ right: 1 }, "it", { enumerable: true, get: boom }),
          );
          session.write(chunk);
        },
      });
      const peer = server.connect();
      peer.write("x");
      await until("the echo", () => peer.text() === "x");
      const [fields, all, text] = server.all("log");
      assert.equal(server.all("log").length, 3);
      assert.equal(fields!["right"], 1);
      assert.deepEqual([text!["right"], text!["it"]], [1, "[unreadable]"]);
      for (const record of [fields, all, text]) {
        assert.ok(JSON.stringify(record).length < 40_000, "its length is bounded");
      }
      assert.deepEqual(server.all("error"), []);
      peer.end();
      await server.record("close");
    });
  }
});
