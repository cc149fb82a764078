/** connect and listen with what they do not take. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Plugin, StartContext } from "../../runtime/core/plugin.ts";
import { startInMemory } from "../support/in-memory.ts";
import { failureOf, WRONG } from "../support/wrong.ts";

describe("listen", () => {
  const HOOKS = { data() {} };
  const ARGUMENTS: Readonly<
    Record<string, [(listen: StartContext<unknown>["listen"], value: never) => unknown, string[]]>
  > = {
    "endpoint of listen": [(listen, value) => listen(value, HOOKS), ["text"]],
    "hooks of listen": [(listen, value) => listen("tcp://127.0.0.1:7", value), [
      "an object",
      "a list",
      "undefined",
    ]],
    "hooks.verify of listen": [
      (listen, value) => listen("tcp://127.0.0.1:7", { ...HOOKS, verify: value }),
      ["undefined", "a function"],
    ],
    "options of listen": [
      (listen, value) => listen("tcp://127.0.0.1:7", HOOKS, value),
      ["an object", "a list", "undefined"],
    ],
    "timeout of listen": [
      (listen, value) => listen("tcp://127.0.0.1:7", HOOKS, { timeout: value }),
      ["5", "1.5", "0", "Infinity", "undefined"],
    ],
    "from of listen": [
      (listen, value) => listen("tcp://127.0.0.1:7", HOOKS, { from: value }),
      ["text", "undefined"],
    ],
  };
  test("what it does not take is named", async (t) => {
    let listen!: StartContext<unknown>["listen"];
    await startInMemory(
      t,
      {
        name: "caller",
        transports: ["stream", "datagram"],
        start: (context: StartContext<unknown>) => {
          ({ listen } = context);
          return HOOKS;
        },
      } as unknown as Plugin<never, never>,
    );
    for (const [name, [call, takes]] of Object.entries(ARGUMENTS)) {
      for (const [what, value] of Object.entries(WRONG)) {
        // The service has that address: whoever takes the rest is told so.
        const error = await failureOf(() => call(listen, value as never));
        if (takes.includes(what)) assert.equal(error.name, "PorticoError", `${name} ${what}`);
        else assert.match(error.message, new RegExp(`${name}: .* due`), `${name} ${what}`);
      }
    }
  });
});

describe("connect", () => {
  const hooks = { data() {} };
  const ARGUMENTS: Readonly<
    Record<string, [(connect: StartContext<unknown>["connect"], value: never) => unknown, string[]]>
  > = {
    "endpoint of connect": [(connect, value) => connect(value, hooks), ["text"]],
    "hooks of connect": [(connect, value) => connect("tcp://127.0.0.1:9", value), [
      // Objects, but without a form: said in words of their own.
      "an object",
      "a list",
      // None at all: pull form, for whoever has connected.
      "undefined",
    ]],
    "hooks.data of connect": [
      (connect, value) => connect("tcp://127.0.0.1:9", { data: value }),
      ["undefined", "a function"],
    ],
    "options of connect": [
      (connect, value) => connect("tcp://127.0.0.1:9", hooks, value),
      ["an object", "a list", "undefined"],
    ],
    "timeout of connect": [
      (connect, value) => connect("tcp://127.0.0.1:9", hooks, { timeout: value }),
      ["5", "1.5", "0", "Infinity", "undefined"],
    ],
  };
  test("what it does not take is named", async (t) => {
    let connect!: StartContext<unknown>["connect"];
    await startInMemory(
      t,
      {
        name: "caller",
        transports: ["stream", "datagram"],
        start: (context: StartContext<unknown>) => {
          ({ connect } = context);
          return hooks;
        },
      } as unknown as Plugin<never, never>,
    );
    for (const [name, [call, takes]] of Object.entries(ARGUMENTS)) {
      for (const [what, value] of Object.entries(WRONG)) {
        const error = await failureOf(() => call(connect, value as never));
        if (takes.includes(what)) assert.equal(error.name, "PorticoError", `${name} ${what}`);
        else assert.match(error.message, new RegExp(`${name}: .* due`), `${name} ${what}`);
      }
    }
  });
});
