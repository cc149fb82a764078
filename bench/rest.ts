/** What a server holds of the memory that has answered once and then does nothing. */
import { setTimeout as pause } from "node:timers/promises";
import type { Case } from "./case.ts";
import { resident } from "./measure.ts";
import { order, Pair } from "./pair.ts";
import type { Round, Sample } from "./result.ts";
import type { Runtime } from "./runtimes.ts";
import type { Side } from "./server.ts";
import type { Settings } from "./settings.ts";

/** Milliseconds after which nothing of the start is under way any more. Nobody collects garbage: nor does one who runs it. */
const REST = 2_000;

/** Measures a case: one round for each pair of processes. */
export async function rest(runtime: Runtime, of: Case, settings: Settings): Promise<Round[]> {
  const rounds: Round[] = [];
  for (let i = 0; i < settings.memories; i++) {
    await Pair.with(runtime, of, settings, {}, async (pair) => {
      await pause(REST);
      const samples: Partial<Record<Side, Sample>> = {};
      for (const side of order(i)) samples[side] = { cost: resident(pair.servers[side].pid) };
      rounds.push({ base: samples.base!, portico: samples.portico! });
    });
  }
  return rounds;
}
