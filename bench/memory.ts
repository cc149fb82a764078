/** What a connection costs that has been used once and then does nothing. */
import { COLLECT } from "./bare/message.ts";
import type { Case } from "./case.ts";
import { resident } from "./measure.ts";
import { order, Pair } from "./pair.ts";
import { exchange } from "./probe.ts";
import type { Round, Sample } from "./result.ts";
import type { Runtime } from "./runtimes.ts";
import type { Server, Side } from "./server.ts";
import type { Settings } from "./settings.ts";

/** Connections before the first weighing: they pay for code and pools that all later ones share. */
const FIRST = 1_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Resident memory after full garbage collections: several, since finalizers and pools take their time. */
async function settled(server: Server): Promise<number> {
  for (let i = 0; i < 4; i++) {
    await exchange(server.target, Uint8Array.of(COLLECT));
    await pause(100);
  }
  return resident(server.pid);
}

async function weigh(pair: Pair, side: Side, of: Case): Promise<Sample> {
  const server = pair.servers[side];
  const crowd = async (name: string, sockets: number): Promise<number> => {
    await pair.open(side, [{ ...of.shapes[0], sockets }], name);
    await pair.run(side, 0, 1, name);
    return await settled(server);
  };
  const before = await crowd("first", FIRST);
  const { sockets } = of.shapes[0];
  const after = await crowd("second", sockets);
  for (const name of ["first", "second"]) await pair.close(name);
  return { cost: (after - before) / sockets };
}

/** Measures a case: one round for each pair of processes. */
export async function memory(runtime: Runtime, of: Case, settings: Settings): Promise<Round[]> {
  const rounds: Round[] = [];
  for (let i = 0; i < settings.memories; i++) {
    await Pair.with(runtime, of, settings, { collect: true }, async (pair) => {
      const samples: Partial<Record<Side, Sample>> = {};
      for (const side of order(i)) samples[side] = await weigh(pair, side, of);
      rounds.push({ base: samples.base!, portico: samples.portico! });
    });
  }
  return rounds;
}
