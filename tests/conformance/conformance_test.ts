import { describe, test } from "node:test";
import { adapter as own } from "../support/adapter.ts";
import { harnesses } from "./adapters.ts";
import type { Tested } from "./harness.ts";
import { casesOf, play, supportOf, TRANSPORTS } from "./suite.ts";

/**
 * What a run leaves to others, `run.ts` beside this one does not. The memory adapter knows no runtime: one of each
 * engine goes through it. An adapter beside the runtime's own shows by one transport of each kind what `node:net`
 * and `node:dgram` are like here.
 */
function isPlayed(name: string, transport: Tested): boolean {
  if (name === "memory") return own.name !== "deno";
  return name.startsWith(own.name) || !transport.startsWith("unix");
}

for (const [name, make] of await harnesses()) {
  for (const transport of TRANSPORTS.filter((one) => isPlayed(name, one))) {
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
