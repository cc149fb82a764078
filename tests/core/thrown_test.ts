/** What a plugin throws may be anything: it is one record of bounded length, and ends its own session only. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Hooks } from "../../runtime/core/plugin.ts";
import { startInMemory } from "../support/in-memory.ts";
import { until } from "../support/until.ts";

const boom = (): never => {
  throw new Error("even that throws");
};

/** By what they are; made anew for each use. */
const VALUES: Readonly<Record<string, () => unknown>> = {
  "an error": () => new Error("plain"),
  "a very long message": () => new Error("x".repeat(10_000_000)),
  "a proxy without a prototype": () => new Proxy({}, { getPrototypeOf: boom }),
  "a proxy of which nothing can be asked": () =>
    new Proxy({}, { get: boom, getPrototypeOf: boom, has: boom, ownKeys: boom }),
  "an error whose message throws": () =>
    Object.defineProperty(new Error(), "message", { get: boom }),
  "an error whose stack throws": () =>
    Object.defineProperty(new Error("stackless"), "stack", { get: boom }),
  "an error whose code throws": () => Object.defineProperty(new Error("c"), "code", { get: boom }),
  "an error whose message is no text": () =>
    Object.defineProperty(new Error(), "message", { value: { toString: boom } }),
  "an object whose toString throws": () => ({ toString: boom }),
  "an object without prototype": () => Object.create(null),
  "a revoked proxy": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  "a symbol": () => Symbol("thrown"),
  "a bigint": () => 10n,
  "undefined": () => undefined,
  "null": () => null,
  "a function": () => boom,
};

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
  "rejects in verify": (value) => ({ verify: () => Promise.reject(value), data() {} }),
};

for (const [way, hooksOf] of Object.entries(WAYS)) {
  describe(`a hook that ${way}`, () => {
    for (const [what, make] of Object.entries(VALUES)) {
      test(`${what}: one record, this session ends, others are served`, async (t) => {
        const hooks = hooksOf(make());
        const server = await startInMemory(t, hooks);
        const peer = server.connect();
        peer.write("x");
        const error = await server.record("error");
        assert.equal(error.code, "HOOK_FAILED");
        assert.ok(JSON.stringify(error).length < 40_000, "its length is bounded");
        peer.end();
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
