/** CPU time for each message, and messages a second: laps of both servers in turn. */
import type { Case } from "./cases.ts";
import type { Lap } from "./load.ts";
import { order, Pair, SIDES } from "./pair.ts";
import type { Round, Sample } from "./result.ts";
import type { Runtime } from "./runtimes.ts";
import type { Side } from "./server.ts";
import type { Settings } from "./settings.ts";

function sample(lap: Lap): Sample {
  return {
    cost: lap.cpu / 1_000 / lap.messages,
    rate: lap.messages / lap.ms * 1_000,
    busy: lap.cpu / 1e6 / lap.ms,
  };
}

/** Measures a case; each pair of processes gives `rounds` rounds. */
export async function speed(
  runtime: Runtime,
  of: Case,
  settings: Settings,
  client: Runtime,
): Promise<Round[]> {
  const rounds: Round[] = [];
  for (let i = 0; i < settings.pairs; i++) {
    await Pair.with(runtime, of, settings, {}, client, async (pair) => {
      for (const side of SIDES) await pair.open(side, of.shape);
      // In halves: the client's code, too, has then seen both before the first lap that counts.
      for (const side of [...SIDES, ...SIDES]) await pair.run(side, settings.warmUp / 2);
      for (let round = 0; round < settings.rounds; round++) {
        const lap: Partial<Record<Side, Lap>> = {};
        for (const side of order(i + round)) lap[side] = await pair.run(side, settings.lap);
        rounds.push({ bare: sample(lap.bare!), portico: sample(lap.portico!) });
      }
    });
  }
  return rounds;
}
