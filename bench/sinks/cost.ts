/** What an info-level file sink costs an echo server, beside one whose log is "none": laps of both in turn. */
import { join } from "node:path";
import { CASES } from "../cases.ts";
import { Client } from "../client.ts";
import type { Lap } from "../load.ts";
import { folder } from "../processes.ts";
import type { Runtime } from "../runtimes.ts";
import { Server } from "../server.ts";
import { median, quantile } from "../statistics.ts";

const SIDES = ["none", "file"] as const;
type Side = typeof SIDES[number];

/** What is compared: CPU microseconds for each connection, or message. */
export interface Cost {
  readonly what: string;
  readonly none: number;
  readonly file: number;
  /** file ÷ none: the typical one, and the middle half of the laps. */
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

/** How thorough it is: pairs of processes, laps of each, milliseconds of a lap. */
export interface Pace {
  readonly pairs: number;
  readonly rounds: number;
  readonly lap: number;
}

const LOGS: Readonly<Record<Side, unknown>> = {
  none: "none",
  get file() {
    return { type: "file", path: join(folder(), "echo.log") };
  },
};

/** Measures one of the cases `connect` and `tcp-64x64`. */
export async function cost(
  runtime: Runtime,
  client: Runtime,
  name: string,
  pace: Pace,
): Promise<Cost> {
  const of = CASES.find((one) => one.name === name)!;
  const ratios: number[] = [];
  const costs: Record<Side, number[]> = { none: [], file: [] };
  for (let pair = 0; pair < pace.pairs; pair++) {
    const load = new Client(client);
    const servers = {} as Record<Side, Server>;
    try {
      for (const side of SIDES) {
        servers[side] = await Server.start(runtime, "portico", of, { log: LOGS[side] });
        await servers[side].answers(of.shape.size);
        const { target } = servers[side];
        await load.do({ op: "open", name: side, target, shape: of.shape });
      }
      const run = (side: Side, ms: number): Promise<Lap> =>
        load.do({ op: "run", name: side, ms, pids: [servers[side].pid] });
      // As many connections as a runtime needs to have compiled what it will.
      for (const side of [...SIDES, ...SIDES, ...SIDES, ...SIDES]) await run(side, pace.lap);
      for (let round = 0; round < pace.rounds; round++) {
        const one = {} as Record<Side, number>;
        for (const side of (pair + round) % 2 === 0 ? SIDES : SIDES.toReversed()) {
          const lap = await run(side, pace.lap);
          one[side] = lap.cpu / 1_000 / lap.messages;
          costs[side].push(one[side]);
        }
        ratios.push(one.file / one.none);
      }
    } finally {
      await Promise.all([...Object.values(servers).map((server) => server.stop()), load.stop()]);
    }
  }
  return {
    what: of.title,
    none: median(costs.none),
    file: median(costs.file),
    ratio: median(ratios),
    low: quantile(ratios, 0.25),
    high: quantile(ratios, 0.75),
  };
}
