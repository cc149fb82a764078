/** What an author need not write: each of these compiles because `session.state` is known. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { defineHooks, definePlugin } from "../../runtime/core/plugin.ts";

/** Compiles for exactly this type. */
function exactly<Wanted>() {
  return <Found>(_value: Found & (Wanted extends Found ? unknown : never)): void => {};
}

const plugins = [
  definePlugin({
    name: "without-context",
    transports: ["stream"],
    start: () => ({
      setup: () => ({ count: 0 }),
      data: ({ state }) => exactly<{ count: number }>()(state),
    }),
  }),
  definePlugin({
    name: "context-and-parameter",
    transports: ["stream"],
    start: ({ log }) => ({
      setup: ({ id }) => ({ count: id }),
      data: ({ state }) => log.info(`${exactly<{ count: number }>()(state)}`),
    }),
  }),
  definePlugin({
    name: "context-alone",
    transports: ["stream"],
    start: ({ log }) =>
      defineHooks({
        setup: () => ({ count: 0 }),
        data: ({ state }) => log.info(`${exactly<{ count: number }>()(state)}`),
      }),
  }),
  definePlugin({
    name: "async-all-over",
    transports: ["stream"],
    start: async ({ folder }) => {
      await Promise.resolve(folder);
      return defineHooks({
        setup: () => Promise.resolve({ count: 0 }),
        handle: ({ state }) => exactly<{ count: number }>()(state),
      });
    },
  }),
  definePlugin({
    name: "stateless",
    transports: ["stream"],
    start: ({ log }) =>
      defineHooks({ data: ({ state }) => log.info(`${exactly<undefined>()(state)}`) }),
  }),
];

test("the types of plugins are found out", () => {
  assert.equal(plugins.length, 5);
});
