/** What the compiler says of a manifest that holds plugins themselves: their schemas tell what options may be. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Hono } from "hono";
import * as v from "valibot";
import chargen from "../../plugins/chargen.ts";
import echo from "../../plugins/echo.ts";
import { definePlugin } from "../../runtime/core/plugin.ts";
import { defineManifest } from "../../runtime/manifest/define.ts";
import { defineSink } from "../../runtime/sinks/define.ts";

const listen = "tcp://127.0.0.1:0";
const start = () => ({ data() {} });
const plain = definePlugin({ name: "plain", transports: ["stream"], start });
const strict = definePlugin({
  name: "strict",
  transports: ["stream"],
  options: v.object({
    size: v.pipe(v.string(), v.transform(Number)),
    more: v.optional(v.string()),
  }),
  start: ({ options }) => ({ data: () => void options.size.toFixed() }),
});
const told = definePlugin<{ size: number }, undefined>({
  name: "told",
  transports: ["stream"],
  options: v.object({ size: v.optional(v.number(), 1) }),
  start,
});
const app = new Hono();
const sink = defineSink({ name: "nowhere", open: () => () => {} });

const right = defineManifest({
  plugins: { own: plain },
  sinks: { first: sink, second: { write() {} }, third: { type: sink, level: "warn" } },
  defaults: { log: [sink, () => {}, "console", { type: { write() {} }, level: "debug" }] },
  services: {
    byName: { plugin: "echo", listen, options: { whatever: true } },
    optional: { plugin: echo, listen },
    given: { plugin: echo, listen, options: { upper: true }, limits: { idle: "5s" } },
    input: { plugin: strict, listen, options: { size: "3" }, concurrency: "serial" },
    silent: { plugin: plain, listen, log: sink },
    // Types that its author has written down say nothing of what may be given.
    told: { plugin: told, listen, options: { anything: 1 } },
    builtIn: { plugin: chargen, listen },
    app: { plugin: app, listen: "http://127.0.0.1:0" },
    fetch: { plugin: { fetch: () => new Response("") }, listen: "http://127.0.0.1:0" },
  },
});

const wrong = [
  () =>
    defineManifest({
      // @ts-expect-error It is no boolean.
      services: { a: { plugin: echo, listen, options: { upper: "yes" } } },
    }),
  () =>
    defineManifest({
      // @ts-expect-error There is no such option.
      services: { a: { plugin: echo, listen, options: { uper: true } } },
    }),
  () =>
    defineManifest({
      // @ts-expect-error It is what the schema makes of it, and not what it takes.
      services: { a: { plugin: strict, listen, options: { size: 3 } } },
    }),
  () =>
    defineManifest({
      // @ts-expect-error An option that has to be said.
      services: { a: { plugin: strict, listen } },
    }),
  () =>
    defineManifest({
      // @ts-expect-error It takes no options.
      services: { a: { plugin: plain, listen, options: { upper: true } } },
    }),
  () =>
    defineManifest({
      // @ts-expect-error It is no plugin.
      services: { a: { plugin: { name: "a" }, listen } },
    }),
  () =>
    defineManifest({
      // @ts-expect-error There is no such key.
      services: { a: { plugin: echo, listen, limts: {} } },
    }),
];

test("the options of plugins in a manifest have the types of their schemas", () => {
  assert.equal(Object.keys(right.services).length, 9);
  assert.equal(wrong.length, 7);
});
