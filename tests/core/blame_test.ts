/** What records say of an error: where in the plugin it was, who is at fault, and which one ended a session. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { PorticoError } from "../../runtime/core/errors.ts";
import { placeOf } from "../../runtime/core/frames.ts";
import { startPlugin } from "../../runtime/core/hooks.ts";
import { errorFields } from "../../runtime/core/log.ts";
import type { Hooks } from "../../runtime/core/plugin.ts";
import { handoffOf } from "../support/handoff.ts";
import { startInMemory } from "../support/in-memory.ts";
import { until } from "../support/until.ts";

const HERE = fileURLToPath(import.meta.url);

/** The line that a function of this file stands in, which throws there. */
function fail(): never {
  throw new TypeError("bad luck");
}
const LINE = Number(/:(\d+):\d+$/.exec(placeOf(caught(fail))!)![1]);

function caught(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
}

describe("where in the plugin", () => {
  test("placeOf is this file, with line and column", () => {
    assert.match(placeOf(caught(fail))!, new RegExp(`^${HERE}:${LINE}:\\d+$`));
    assert.ok(LINE > 15 && LINE < 25, `${LINE}`);
  });

  test("frames of Portico and of the runtime come before it", () => {
    const thrown = caught(() => JSON.parse("{"));
    assert.match(placeOf(thrown)!, new RegExp(`^${HERE}:`));
    const misused = caught(() => new PorticoError("NO" as never));
    assert.match(placeOf(misused)!, new RegExp(`^${HERE}:`));
  });

  test("a line of the message is no frame", () => {
    const message = "said the peer\n    at fake (/etc/passwd:1:2)";
    assert.match(placeOf(caught(() => fake(message)))!, new RegExp(`^${HERE}:`));
  });

  test("a package that the plugin uses stands behind the plugin's own line", () => {
    const error = new Error("m");
    const inside = "    at q (file:///srv/app/node_modules/redis/i.js:1:2)";
    error.stack = `Error: m\n${inside}\n    at h (file:///srv/app/my%20server.ts?v=3:12:5)`;
    assert.equal(placeOf(error), "/srv/app/my server.ts:12:5");
    error.stack = `Error: m\n${inside}\n    at node:internal/x:1:2`;
    assert.equal(placeOf(error), "/srv/app/node_modules/redis/i.js:1:2");
  });

  test("what has none is no error, whatever it is", () => {
    const odd = Object.defineProperty(new Error(), "stack", { get: fail });
    for (const value of [5, undefined, null, {}, odd, new Proxy(new Error(), { get: fail })]) {
      assert.equal(placeOf(value), undefined);
    }
  });

  const WAYS: Readonly<Record<string, Hooks<never>>> = {
    data: { data: fail },
    "data, later": { data: () => Promise.resolve().then(fail) },
    handle: { handle: fail },
    setup: { setup: fail, data() {} },
    verify: { verify: fail, data() {} },
    finish: { data: (session) => session.end(), finish: fail },
  };
  for (const [way, hooks] of Object.entries(WAYS)) {
    test(`the record of an error in ${way} names the line`, async (t) => {
      const server = await startInMemory(t, hooks);
      const peer = server.connect();
      peer.write("x");
      peer.end();
      const error = await server.record("error");
      assert.match(String(error["at"]), new RegExp(`^${HERE}:${LINE}:\\d+$`));
    });
  }

  test("START_FAILED names it in words, which also come from a worker", async () => {
    await assert.rejects(startPlugin("p", fail, 1000), (error: PorticoError) => {
      assert.equal(error.code, "START_FAILED");
      assert.match(error.message, new RegExp(`bad luck, at ${HERE}:${LINE}:\\d+$`));
      return true;
    });
  });

  test("a wrong argument is said at the plugin's line", async (t) => {
    // Bun's engine leaves out a function whose last act is a call: what it returns is the other's.
    const server = await startInMemory(t, {
      data(session) {
        session.end(5 as never);
      },
    });
    server.connect().write("x");
    assert.match(String((await server.record("error"))["at"]), new RegExp(`^${HERE}:`));
  });
});

function fake(message: string): never {
  throw new Error(message);
}

describe("the peer's fault", () => {
  const hooks: Hooks<never> = {
    data(session) {
      session.write("500 HELO first\r\n");
      throw new PorticoError("PROTOCOL_ERROR", "HELO first");
    },
  };

  test("PROTOCOL_ERROR is of side peer, level debug: the answer is sent, the end in order", async (t) => {
    const server = await startInMemory(t, hooks);
    const peer = server.connect();
    peer.write("x");
    const error = await server.record("error");
    assert.deepEqual([error.level, error["side"], error["message"]], [
      "debug",
      "peer",
      "HELO first",
    ]);
    peer.end();
    const close = await server.record("close");
    assert.equal(peer.text(), "500 HELO first\r\n");
    assert.equal(peer.wasReset, false);
    assert.deepEqual([close["reason"], close["code"]], ["error", "PROTOCOL_ERROR"]);
    server.send("x");
    assert.equal((await server.record("error", 2)).level, "debug");
    assert.deepEqual(server.answers(), ["500 HELO first\r\n"]);
  });

  test("the class of another copy of this package is the same", async (t) => {
    const { PorticoError: Other } = await import(
      new URL("../../runtime/core/errors.ts?copy", import.meta.url).href
    ) as { PorticoError: typeof PorticoError };
    const server = await startInMemory(t, {
      data() {
        throw new Other("PROTOCOL_ERROR", "HELO first");
      },
    });
    server.connect().write("x");
    assert.equal((await server.record("error"))["code"], "PROTOCOL_ERROR");
  });

  test("who only looks like one is a plugin's error", async (t) => {
    const odd = Object.assign(new Error("odd"), {
      name: "PorticoError",
      code: "NONE",
      side: "peer",
    });
    const server = await startInMemory(t, {
      data() {
        throw odd;
      },
    });
    server.connect().write("x");
    assert.equal((await server.record("error"))["code"], "HOOK_FAILED");
  });
});

describe("close, error", () => {
  const CAUSE = { reason: "error", code: "HOOK_FAILED", message: "bad luck" };
  const causeIn = ({ reason, code, message }: Readonly<Record<string, unknown>>) => ({
    reason,
    code,
    message,
  });

  for (const listens of [false, true]) {
    test(`names what ended a stream and a datagram, ${listens ? "with" : "without"} a hook error`, async (t) => {
      const error = listens ? { error() {} } : {};
      const server = await startInMemory(t, { data: fail, ...error });
      const peer = server.connect();
      peer.write("x");
      peer.end();
      assert.deepEqual(causeIn(await server.record("close")), CAUSE);
      server.send("x");
      assert.deepEqual(causeIn(await server.record("close", 2)), CAUSE);
    });
  }

  test("names what ended a socket that was taken", async () => {
    const stage = handoffOf({ take: fail });
    stage.arrive(2);
    await until("the end", () => stage.of("close").length === 1);
    assert.deepEqual(causeIn(stage.of("close")[0]!), CAUSE);
  });

  test("of any other end says nothing", async (t) => {
    const server = await startInMemory(t, { data: (session) => session.end("bye") });
    const peer = server.connect();
    peer.write("x");
    await until("the last bytes", () => peer.text() === "bye");
    peer.end();
    assert.deepEqual(causeIn(await server.record("close")), {
      reason: "done",
      code: undefined,
      message: undefined,
    });
  });
});

test("errorFields: of the peer's faults no place is looked for", () => {
  const fields = errorFields(new PorticoError("FRAME_TOO_LONG"));
  assert.deepEqual(Object.keys(fields), ["code", "message", "side"]);
});
