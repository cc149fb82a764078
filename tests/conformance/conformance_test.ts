import { describe, test } from "node:test";
import { adapter as own } from "../support/adapter.ts";
import { harnesses } from "./adapters.ts";
import { casesOf, play, supportOf, TRANSPORTS } from "./suite.ts";

/** The memory adapter knows no runtime: one of each engine goes through it, when `run.ts` beside this one is not asked. */
const isPlayed = (name: string): boolean => name !== "memory" || own.name !== "deno";

for (const [name, make] of await harnesses()) {
  if (!isPlayed(name)) continue;
  for (const transport of TRANSPORTS) {
    describe(`${name} adapter, ${transport}`, () => {
      for (const each of casesOf(transport)) {
        const support = supportOf(make(), transport, each);
        test(each.name, { skip: support === true ? false : support.reason }, async () => {
          await play(each, make(), transport);
        });
      }
    });
  }
}
