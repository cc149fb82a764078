/** Properties of whole services: what a peer gets does not depend on how its bytes were cut. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Hooks, Session } from "../../runtime/core/plugin.ts";
import { startInMemory } from "../support/in-memory.ts";
import { cut } from "../support/split.ts";
import { until } from "../support/until.ts";

const upper = (bytes: Uint8Array): Uint8Array =>
  bytes.map((byte) => byte >= 97 && byte <= 122 ? byte - 32 : byte);

interface Example {
  readonly name: string;
  readonly hooks: Hooks<never>;
  readonly model: (whole: Uint8Array) => number[];
}

const echo = (whole: Uint8Array): number[] => [...whole];

const EXAMPLES: readonly Example[] = [
  {
    name: "echo, push form",
    hooks: { data: (session, chunk) => void session.write(chunk) },
    model: echo,
  },
  {
    name: "echo, push form with promises",
    hooks: {
      async data(session, chunk) {
        await Promise.resolve();
        session.write(chunk);
      },
    },
    model: echo,
  },
  {
    name: "echo, pull form",
    hooks: {
      async handle(session) {
        for await (const chunk of session) await session.send(chunk);
      },
    },
    model: echo,
  },
  {
    name: "echo that pauses after each chunk",
    hooks: {
      data(session: Session) {
        session.pause();
        queueMicrotask(() => session.resume());
      },
    },
    model: () => [],
  },
  {
    name: "upper, push form",
    hooks: { data: (session, chunk) => void session.write(upper(chunk)) },
    model: (whole) => [...upper(whole)],
  },
  {
    name: "lines, answered with their lengths",
    hooks: {
      async handle(session) {
        let text = "";
        for await (const line of session.lines()) {
          text += `${new TextEncoder().encode(line).length};`;
        }
        session.write(text);
      },
    },
    model(whole) {
      const lines = new TextDecoder("latin1").decode(whole).split("\n");
      if (lines.at(-1) === "") lines.pop();
      const lengths = lines.map((line) => {
        const bytes = Uint8Array.from(line.replace(/\r$/, ""), (c) => byteOf(c));
        return new TextEncoder().encode(new TextDecoder().decode(bytes)).length;
      });
      return [...new TextEncoder().encode(lengths.map((length) => `${length};`).join(""))];
    },
  },
];

/** The byte that `latin1`, which is windows-1252 on the web, has shown as this character. */
function byteOf(character: string): number {
  return TABLE.indexOf(character);
}
const TABLE = new TextDecoder("latin1").decode(Uint8Array.from({ length: 256 }, (_, i) => i));

describe("any split of the input", () => {
  for (const { name, hooks, model } of EXAMPLES) {
    test(`gives the same output: ${name}`, async (t) => {
      const server = await startInMemory(t, hooks, { level: "error" });
      await fc.assert(
        fc.asyncProperty(cut, async ({ whole, chunks }) => {
          const peer = server.connect();
          for (const chunk of chunks) peer.write(chunk);
          peer.end();
          await until("the end", () => peer.over);
          assert.deepEqual(peer.received.flatMap((chunk) => [...chunk]), model(whole));
        }),
        { numRuns: 60 },
      );
      assert.deepEqual(server.records, []);
    });
  }
});
