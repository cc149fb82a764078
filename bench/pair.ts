/** A bare server and a Portico server, side by side, and one client for both. */
import type { Case } from "./cases.ts";
import { Client } from "./client.ts";
import type { Lap } from "./load.ts";
import type { Shape } from "./load/traffic.ts";
import type { Runtime } from "./runtimes.ts";
import { Server, type Side, type Wishes } from "./server.ts";
import type { Settings } from "./settings.ts";

export const SIDES = ["bare", "portico"] as const;

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
    client: Runtime,
    use: (pair: Pair) => Promise<void>,
  ): Promise<void> {
    const bare = await Server.side(runtime, "bare", of, settings, wishes);
    const portico = await Server.side(runtime, "portico", of, settings, wishes);
    const pair = new Pair({ bare, portico }, new Client(client));
    try {
      for (const side of SIDES) await pair.servers[side].answers(of.shape.size * of.shape.depth);
      await use(pair);
    } catch (error) {
      throw new Error(pair.#complaint(error), { cause: error });
    } finally {
      await Promise.all([bare.stop(), portico.stop(), pair.#client.stop()]);
    }
  }

  #complaint(error: unknown): string {
    const said = SIDES.map((side) => this.servers[side].errors.trim()).filter((text) => text);
    return [error instanceof Error ? error.message : String(error), ...said].join("\n");
  }

  /** Opens connections to a server, under a name of their own where it has several sets of them. */
  async open(side: Side, shape: Shape, name: string = side): Promise<void> {
    await this.#client.do({ op: "open", name, target: this.servers[side].target, shape });
  }

  run(side: Side, ms: number, name: string = side): Promise<Lap> {
    return this.#client.do({ op: "run", name, ms, pids: [this.servers[side].pid] });
  }

  async close(name: string): Promise<void> {
    await this.#client.do({ op: "close", name });
  }
}
