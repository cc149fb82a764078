/** Laps of both servers in turn: CPU time for each message, messages a second, and how long one waits. */
import type { Case } from "./case.ts";
import type { Lap } from "./load/traffic.ts";
import { order, Pair } from "./pair.ts";
import type { Round, Sample } from "./result.ts";
import type { Runtime } from "./runtimes.ts";
import { type Side, SIDES } from "./server.ts";
import type { Settings } from "./settings.ts";

function sample(lap: Lap, of: Case): Sample {
  const [first] = lap.loads;
  const { messages } = first!;
  const rate = messages / lap.ms * 1_000;
  if (of.kind === "pace") return { cost: lap.ms / messages, rate };
  if (of.kind === "latency") return { cost: first![of.quantile!]! / 1_000, rate };
  return { cost: lap.cpu / 1_000 / messages, rate, busy: lap.cpu / 1e6 / lap.ms };
}

/** Measures a case; each pair of processes gives `rounds` rounds. */
export async function speed(runtime: Runtime, of: Case, settings: Settings): Promise<Round[]> {
  const rounds: Round[] = [];
  const loads = of.shapes.length;
  // Of long laps there are few.
  const long = of.laps ?? 1;
  const count = Math.ceil(settings.rounds / long);
  for (let i = 0; i < settings.pairs; i++) {
    await Pair.with(runtime, of, settings, {}, async (pair) => {
      for (const side of SIDES) await pair.open(side, of.shapes);
      // In halves: the client's code, too, has then seen both before the first lap that counts.
      for (const side of [...SIDES, ...SIDES]) await pair.run(side, settings.warmUp / 2, loads);
      for (let round = 0; round < count; round++) {
        const lap: Partial<Record<Side, Lap>> = {};
        for (const side of order(i + round)) {
          lap[side] = await pair.run(side, settings.lap * long, loads);
        }
        rounds.push({ base: sample(lap.base!, of), portico: sample(lap.portico!, of) });
      }
    });
  }
  return rounds;
}
