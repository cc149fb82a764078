import process from "node:process";
import { threadId } from "node:worker_threads";
import { definePlugin } from "portico";
import * as v from "valibot";

/**
 * Turns of the loop below that take about a millisecond on a core of 3 GHz. It is a constant, and not
 * measured at the start: the work, and so the answer, is the same under every strategy and on every
 * runtime, however busy the machine is.
 */
const TURNS = 900_000;

/** FNV-1a of the text, again and again: each turn needs the one before it, so no compiler can skip any. */
export function burn(text: string, turns: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  for (let turn = 0; turn < turns; turn++) hash = Math.imul(hash ^ (turn & 0xff), 0x01000193);
  return hash >>> 0;
}

/**
 * Burns CPU time for each line, and answers with the result and with who has worked. Nothing in it
 * knows the strategy: the manifest runs it five ways. While it burns, its event loop does nothing
 * else; under `serial` and `async` the other sessions wait, with workers only those beside it.
 */
export default definePlugin({
  name: "workers",
  transports: ["stream", "datagram"],
  options: v.strictObject({ ms: v.optional(v.pipe(v.number(), v.minValue(0)), 5) }),
  start: ({ options }) => {
    const turns = Math.round(options.ms * TURNS);
    let served = 0;
    return {
      async handle(session) {
        for await (const line of session.lines()) {
          const hash = burn(line, turns).toString(16).padStart(8, "0");
          // The count is this worker's own: each has its own copy of what `start` closes over.
          await session.send(
            `${hash} process ${process.pid} thread ${threadId} line ${++served}\n`,
          );
        }
      },
    };
  },
});
