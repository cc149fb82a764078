import process from "node:process";
import { setTimeout } from "node:timers";
import { messageOf } from "../core/errors.ts";
import { Log, type Outlet } from "../core/log.ts";
import type { ServicePlan } from "../core/plan.ts";
import { LEVELS, type Sink } from "../core/record.ts";
import { openSinks } from "../sinks/mod.ts";

/** How long the last records may take to arrive, in ms: a reader that has stopped does not hold the end up. */
const LAST_RECORDS = 2000;

/** The logs of all services, over sinks that they share. */
export class Journal {
  /** By service. */
  readonly logs: ReadonlyMap<string, Log>;
  /** Over the sinks of all services, each once: for what concerns the whole server. */
  readonly server: Log;
  readonly #sinks: readonly Sink[];

  private constructor(outlets: ReadonlyMap<string, readonly Outlet[]>) {
    const broken = this.#broken();
    this.logs = new Map([...outlets].map(([name, list]) => [name, new Log(list, broken)]));
    const union = unite([...outlets.values()].flat());
    this.server = new Log(union, broken);
    this.#sinks = union.map(({ sink }) => sink);
  }

  /** @throws PorticoError when a sink cannot be opened. */
  static async open(plans: readonly ServicePlan[]): Promise<Journal> {
    const opened = new Map<string, Sink>();
    const outlets = new Map<string, Outlet[]>();
    for (const { name, log } of plans) outlets.set(name, await openSinks(log, opened));
    return new Journal(outlets);
  }

  /** Opens log files anew; those that cannot be opened are reported and stay as they are. */
  reopen(): void {
    for (const sink of this.#sinks) {
      try {
        sink.reopen?.();
      } catch (error) {
        this.#report(messageOf(error));
      }
    }
  }

  /** Waits for the last records, but not for ever. */
  async close(): Promise<void> {
    const closed = Promise.all(this.#sinks.map((sink) => sink.close?.() ?? sink.flush?.()));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise((resolve) => timer = setTimeout(resolve, LAST_RECORDS));
    await Promise.race([closed, late]);
    clearTimeout(timer);
  }

  /** A sink may serve many logs, each of which finds it broken; it is reported once. */
  #broken(): (name: string, error: unknown) => void {
    const told = new Set<string>();
    return (name, error) => {
      if (told.has(name)) return;
      told.add(name);
      this.#report(`the sink ${name} is switched off: ${messageOf(error)}`);
    };
  }

  #report(message: string): void {
    this.server.emit("warn", "error", { code: "SINK_FAILED", message, side: "host" });
    // Where no other sink is left, somebody may still be looking.
    if (!this.server.wants("warn")) process.stderr.write(`portico: ${message}\n`);
  }
}

/** Each sink once, at the least of its levels. */
function unite(outlets: readonly Outlet[]): Outlet[] {
  const bySink = new Map<Sink, Outlet>();
  for (const outlet of outlets) {
    const other = bySink.get(outlet.sink);
    if (other === undefined || LEVELS.indexOf(outlet.level) < LEVELS.indexOf(other.level)) {
      bySink.set(outlet.sink, outlet);
    }
  }
  return [...bySink.values()];
}
