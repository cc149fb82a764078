/** One case under one strategy, on all its transports beside each other: so that what takes time takes it once. */
import type { Case, Transport } from "./case.ts";
import { House } from "./house.ts";
import { type Meeting, Stage } from "./stage.ts";
import { Shared, type StrategyName } from "./support.ts";

/** The servers that cases share, by strategy. */
const houses = new Map<StrategyName, Promise<House>>();

/** The server of a strategy; a new one when a case has brought the last one down. */
async function houseOf(strategy: StrategyName): Promise<House> {
  const before = await houses.get(strategy);
  if (before?.alive === true) return before;
  await before?.close();
  houses.set(strategy, House.open(strategy));
  return await houses.get(strategy)!;
}

/** Ends the server of a strategy, when there is one, after a look at it. */
export async function closeHouse(
  strategy: StrategyName,
  look: (house: House) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const house = await houses.get(strategy);
  if (house === undefined) return;
  houses.delete(strategy);
  try {
    await look(house);
  } finally {
    await house.close();
  }
}

let numbers = 0;

export class Group {
  readonly #kase: Case;
  readonly #strategy: StrategyName;
  readonly #transports: readonly Transport[];
  #runs: Promise<Map<Transport, Promise<void>>> | undefined = undefined;
  #over: Promise<unknown> = Promise.resolve();
  /** Those that have not come to their end. */
  readonly #running = new Set<Transport>();
  readonly #meetings = new Map<string, {
    readonly there: Set<Transport>;
    readonly act: () => unknown;
    readonly over: ReturnType<typeof Promise.withResolvers<void>>;
  }>();

  constructor(kase: Case, strategy: StrategyName, transports: readonly Transport[]) {
    this.#kase = kase;
    this.#strategy = strategy;
    this.#transports = transports;
  }

  /** What it came to on one transport. The first one asked for starts all of them. */
  async run(transport: Transport): Promise<void> {
    const runs = await (this.#runs ??= this.#start());
    try {
      await runs.get(transport);
    } finally {
      await this.#over;
    }
  }

  async #start(): Promise<Map<Transport, Promise<void>>> {
    const names = this.#transports.map((transport) => [`c${++numbers}-${transport}`, transport]);
    const parts = new Map(names as [string, Transport][]);
    const services = new Map(
      [...parts].map(([name, transport]) => [name, [this.#kase, transport] as const]),
    );
    let house: House;
    if (this.#kase.alone === true) house = await House.open(this.#strategy, services);
    else {
      house = await houseOf(this.#strategy);
      await house.add(services);
    }
    const scope = new Shared();
    for (const transport of this.#transports) this.#running.add(transport);
    const runs = new Map(
      [...parts].map(([name, transport]) => {
        const together: Meeting = (place, act) => this.#meet(transport, place, act);
        const stage = new Stage(house, scope, name, transport, together);
        const run = this.#kase.run(stage).finally(() => {
          this.#running.delete(transport);
          this.#look();
        });
        run.catch(() => {});
        return [transport, run];
      }),
    );
    this.#over = Promise.allSettled(runs.values()).then(async () => {
      await scope.close();
      if (this.#kase.alone === true) await house.close();
      else if (house.alive) await house.remove(parts.keys());
    });
    return runs;
  }

  #meet(transport: Transport, place: string, act: () => unknown): Promise<void> {
    const meeting = this.#meetings.get(place) ??
      { there: new Set(), act, over: Promise.withResolvers<void>() };
    this.#meetings.set(place, meeting);
    meeting.there.add(transport);
    this.#look();
    return meeting.over.promise;
  }

  /** Those that have failed are not waited for. */
  #look(): void {
    for (const [place, { there, act, over }] of this.#meetings) {
      if ([...this.#running].some((transport) => !there.has(transport))) continue;
      this.#meetings.delete(place);
      Promise.resolve().then(act).then(() => over.resolve(), over.reject);
    }
  }
}
