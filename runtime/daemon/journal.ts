import { setTimeout } from "node:timers";
import { messageOf } from "../core/errors.ts";
import { Log } from "../core/log.ts";
import type { ServicePlan } from "../core/plan.ts";
import { counted } from "../core/totals.ts";
import type { SinkStatus } from "../services/status.ts";
import { flushStandard, standard } from "../sinks/standard.ts";
import {
  isMissing,
  type OpenOutlet,
  type OpenSink,
  openSinks,
  retryOptional,
  type SinkHost,
  unite,
} from "../sinks/mod.ts";
import type { Sink } from "../core/record.ts";
import { RecordTap } from "./record-tap.ts";

/** How long the last records may take to arrive, in ms: a reader that has stopped does not hold the end up. */
const LAST_RECORDS = 2000;

/** The logs of all services, over sinks that they share. */
export class Journal {
  readonly #host: SinkHost;
  /** Sinks that are open, by what they are. */
  #opened: Map<string, OpenSink> = new Map();
  /** Sinks that are not used any more, until what they have is delivered. */
  readonly #closing: Set<OpenSink> = new Set();
  /** Records that sinks have had to give up which are closed, by their name. */
  readonly #droppedBefore: Map<string, number> = new Map();
  /** By service. */
  #outlets: ReadonlyMap<string, readonly OpenOutlet[]> = new Map();
  #logs: ReadonlyMap<string, Log> = new Map();
  #server: Log;
  /** A sink may serve many logs, each of which finds it broken; it is reported once. */
  readonly #reported: Set<string> = new Set();

  readonly #adminSink: Sink;
  /** For those who read beside the sinks. */
  readonly tap: RecordTap = new RecordTap();

  private constructor(host: Omit<SinkHost, "warn">, adminSink: Sink) {
    this.#host = { ...host, warn };
    this.#adminSink = adminSink;
    this.#server = new Log([], () => {}, this.tap);
  }

  /** By service. */
  get logs(): ReadonlyMap<string, Log> {
    return this.#logs;
  }

  /** Over the sinks of all services, each once: for what concerns the whole server. */
  get server(): Log {
    return this.#server;
  }

  /**
   * @param host the sinks' sockets, and whose their files are.
   * @param adminSink is given the records of level info and above where a service is an `admin`.
   * @throws PorticoError when a sink cannot be opened.
   */
  static async open(
    plans: readonly ServicePlan[],
    host: Omit<SinkHost, "warn">,
    adminSink: Sink,
  ): Promise<Journal> {
    const journal = new Journal(host, adminSink);
    try {
      await journal.change(plans);
    } catch (error) {
      await inTime(flushStandard());
      throw error;
    }
    return journal;
  }

  /**
   * Opens the sinks that a changed manifest has beside those that are open. Services find their logs
   * as before. What is not used any more stays open until {@link prune}. Optional ones that were not
   * there are looked for again, for services that have not changed too.
   *
   * @throws PorticoError when one cannot be opened; all is as it was then.
   */
  async change(plans: readonly ServicePlan[]): Promise<void> {
    const opened = new Map(this.#opened);
    const outlets = new Map<string, OpenOutlet[]>();
    const hasAdmin = plans.some(({ admin }) => admin);
    const admin = {
      name: "admin",
      sink: this.#adminSink,
      base: this.#adminSink,
      level: "info" as const,
    };
    try {
      for (const { name, log } of plans) {
        outlets.set(name, [
          ...await openSinks(log, this.#host, opened),
          ...(hasAdmin ? [admin] : []),
        ]);
      }
    } catch (error) {
      for (const [key, { sink }] of opened) if (!this.#opened.has(key)) await sink.close?.();
      throw error;
    }
    const used = basesOf(outlets);
    const before = [...this.#opened.values()].filter(({ sink }) => used.has(sink));
    this.#opened = opened;
    this.#outlets = outlets;
    await retryOptional(before, this.#host);
    const broken = (name: string, error: unknown): void => this.#broken(name, error);
    this.#logs = new Map(
      [...outlets].map(([name, list]) => [name, new Log(list, broken, this.tap)]),
    );
    this.#server = new Log(unite([...outlets.values()].flat()), broken, this.tap);
  }

  /** Closes the sinks that no service has any more. */
  async prune(): Promise<void> {
    const used = basesOf(this.#outlets);
    const unused = [...this.#opened].filter(([, { sink }]) => !used.has(sink));
    for (const [key] of unused) this.#opened.delete(key);
    const closing = unused.map(([, open]) => open);
    for (const open of closing) this.#closing.add(open);
    await inTime(end(closing));
    for (const open of closing) {
      this.#closing.delete(open);
      addDropped(this.#droppedBefore, open);
    }
  }

  /** Opens log files anew; those that cannot be opened are reported and stay as they are. */
  reopen(): void {
    for (const { sink } of this.#opened.values()) {
      try {
        sink.reopen?.();
      } catch (error) {
        this.#report(messageOf(error));
      }
    }
  }

  /** How many records each sink has had to give up, with those that it has replaced. */
  status(): SinkStatus[] {
    const past = new Map(this.#droppedBefore);
    for (const open of this.#closing) addDropped(past, open);
    return [...this.#opened.values()].map(({ name, type, sink }) => {
      const before = past.get(name) ?? 0;
      past.delete(name);
      return { name, type, dropped: before + counted(sink.dropped?.()) };
    });
  }

  /** Waits for the last records, and for what sinks have told of their end, but not for ever. */
  async close(): Promise<void> {
    await inTime(end([...this.#opened.values()]).then(flushStandard));
  }

  #broken(name: string, error: unknown): void {
    if (this.#reported.has(name)) return;
    this.#reported.add(name);
    this.#report(`the sink ${name} is switched off: ${messageOf(error)}`);
  }

  #report(message: string): void {
    this.server.emit("warn", "error", { code: "SINK_FAILED", message, side: "host" });
    // Where no other sink is left, somebody may still be looking.
    const left = [...this.#opened.values()].some(({ sink }) => !isMissing(sink));
    if (!left || !this.server.sinksWant("warn", "error")) warn(message);
  }
}

function warn(message: string): void {
  standard("stderr")?.push(`portico: ${message}\n`);
}

function basesOf(outlets: ReadonlyMap<string, readonly OpenOutlet[]>): ReadonlySet<Sink> {
  return new Set([...outlets.values()].flat().map(({ base }) => base));
}

function addDropped(sums: Map<string, number>, { name, sink }: OpenSink): void {
  sums.set(name, (sums.get(name) ?? 0) + counted(sink.dropped?.()));
}

function end(sinks: readonly OpenSink[]): Promise<unknown> {
  return Promise.all(sinks.map(({ sink }) => sink.close?.() ?? sink.flush?.()));
}

async function inTime(last: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((resolve) => timer = setTimeout(resolve, LAST_RECORDS));
  await Promise.race([last, late]);
  clearTimeout(timer);
}
