/** The two servers of a case, side by side, and one client for both. */
import type { Case } from "./case.ts";
import { Client, unable } from "./client.ts";
import type { Lap, Shape } from "./load/traffic.ts";
import { answers } from "./probe.ts";
import type { Runtime } from "./runtimes.ts";
import { Server, type Side, SIDES, type Wishes } from "./server.ts";
import type { Settings } from "./settings.ts";

/** Both orders in turn (A B, B A, …): what changes slowly then weighs on both sides alike. */
export function order(round: number): readonly Side[] {
  return round % 2 === 0 ? SIDES : SIDES.toReversed();
}

export class Pair {
  readonly servers: Readonly<Record<Side, Server>>;
  readonly #client: Client;

  private constructor(servers: Readonly<Record<Side, Server>>, client: Client) {
    this.servers = servers;
    this.#client = client;
  }

  /** Starts both servers, sees that each answers rightly, and lends the pair to `use`. */
  static async with(
    runtime: Runtime,
    of: Case,
    settings: Settings,
    wishes: Wishes,
    use: (pair: Pair) => Promise<void>,
  ): Promise<void> {
    const why = unable(of.transport, of.shapes);
    if (why !== undefined) throw new Error(why);
    const base = await Server.side(runtime, "base", of, settings, wishes);
    let portico: Server;
    try {
      portico = await Server.side(runtime, "portico", of, settings, wishes);
    } catch (error) {
      await base.stop();
      throw error;
    }
    const pair = new Pair({ base, portico }, new Client());
    try {
      for (const side of SIDES) await answers(pair.servers[side], of, pair.#client);
      await use(pair);
    } catch (error) {
      throw new Error(pair.#complaint(error), { cause: error });
    } finally {
      await Promise.all([base.stop(), portico.stop(), pair.#client.stop()]);
    }
  }

  #complaint(error: unknown): string {
    const said = SIDES.map((side) => this.servers[side].errors.trim()).filter((text) => text);
    return [error instanceof Error ? error.message : String(error), ...said].join("\n");
  }

  /** Opens loads to a server, under a name of their own where it has several sets of them. */
  async open(side: Side, shapes: readonly Shape[], name: string = side): Promise<void> {
    const { target } = this.servers[side];
    for (const [i, shape] of shapes.entries()) {
      await this.#client.open(`${name}${i}`, target, shape);
    }
  }

  /** One lap of so many loads at once. */
  run(side: Side, ms: number, loads = 1, name: string = side): Promise<Lap> {
    const names = Array.from({ length: loads }, (_, i) => `${name}${i}`);
    return this.#client.run(names, ms, this.servers[side].pids);
  }

  async close(name: string, loads = 1): Promise<void> {
    for (let i = 0; i < loads; i++) await this.#client.close(`${name}${i}`);
  }
}
