import { messageOf } from "./errors.ts";
import { placeOf } from "./frames.ts";
import {
  type EventName,
  EVENTS,
  type Fields,
  type Level,
  LEVELS,
  type LogRecord,
  ON_DEMAND,
  type Sink,
} from "./record.ts";
import type { RefusalSums } from "./refusal-sums.ts";

/** The order of the levels, and what is above them all. */
const RANK: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
const SILENT = 4;

/** The least level that is wanted, by event; of an event that is not named nothing is. */
export type Levels = Readonly<Partial<Record<EventName, Level>>>;

/** What is wanted of all that could be said. */
export interface Wanted {
  /** One for all events but those {@link ON_DEMAND}, or by event. */
  readonly level: Level | Levels;
  /**
   * Of how many sessions, 0 to 1; all when silent. It is decided by the session's number, so that its
   * records stay together. Warnings, errors and what belongs to no session always pass; of those who are
   * turned away there may be too many.
   */
  readonly sample?: number | undefined;
  /** Also who the peers of Unix streams are, which has to be asked for when they connect. */
  readonly user?: boolean | undefined;
  /** Also what TLS has come to, in the `open` of a session that speaks it. */
  readonly tls?: boolean | undefined;
}

/** A sink with what it wants. */
export interface Outlet extends Wanted {
  /** For the report when it fails: `console`, `file`, or the name in `sinks`. */
  readonly name: string;
  readonly sink: Sink;
}

/**
 * Who listens to the records of a server beside its sinks, for as long as it wants to. All of its logs
 * share one; what it wants may change at any time.
 */
export interface Tap {
  /** The least rank that it wants, by event: see {@link rankOf}. */
  readonly least: Readonly<Record<EventName, number>>;
  /** Of how many sessions, as {@link Wanted.sample}. */
  readonly sample: number;
  /** Grows whenever it wants something else. */
  readonly changes: number;
  /** Never throws. */
  write(record: LogRecord): void;
  /** Is told when it wants something else. @returns ends that. */
  watch(changed: () => void): () => void;
}

interface Open {
  readonly name: string;
  readonly sink: Sink;
  readonly least: Record<EventName, number>;
  readonly sample: number;
  broken: boolean;
}

/**
 * Makes records and hands them to the sinks. What nobody wants is never made: ask {@link wants}
 * before fields are put together on a hot path.
 */
export class Log {
  #outlets: readonly Open[] = [];
  readonly #broken: (name: string, error: unknown) => void;
  /** What any of them wants. */
  #least!: Record<EventName, number>;
  #sample: number = 0;
  readonly #tap: Tap | undefined;
  #asksUser = false;
  #asksTls = false;
  /** Sums up what one source is refused too often. */
  sums: RefusalSums | undefined = undefined;
  #changes = 0;

  /** @param broken is told once for each sink that throws. */
  constructor(
    outlets: readonly Outlet[],
    broken: (name: string, error: unknown) => void,
    tap?: Tap,
  ) {
    this.#tap = tap;
    this.#broken = broken;
    this.change(outlets);
  }

  /** Has others in the place of its sinks. */
  change(outlets: readonly Outlet[]): void {
    this.#outlets = outlets.map(({ name, sink, level, sample = 1 }) => ({
      name,
      sink,
      least: byEvent((event) => rankOf(levelOf(level, event))),
      sample,
      broken: false,
    }));
    this.#asksUser = outlets.some(({ user }) => user === true);
    this.#asksTls = outlets.some(({ tls }) => tls === true);
    this.#look();
  }

  /** Whether any sink wants to know who the peers of Unix streams are. */
  get asksUser(): boolean {
    return this.#asksUser;
  }

  /** Whether any sink wants to know what TLS has come to. */
  get asksTls(): boolean {
    return this.#asksTls;
  }

  /** Whether anybody takes this event of this level, and of this session. */
  wants(level: Level, event: EventName, session?: number): boolean {
    return this.sinksWant(level, event, session) ||
      (this.#tap !== undefined && RANK[level] >= this.#tap.least[event]);
  }

  /** The same, without those who read beside them. */
  sinksWant(level: Level, event: EventName, session?: number): boolean {
    const rank = RANK[level];
    return rank >= this.#least[event] && passes(this.#sample, rank, event, session);
  }

  /** What anybody takes; undefined when nobody takes anything. For a log that sends its records here. */
  get wanted(): Wanted | undefined {
    const levels = EVENTS.flatMap((event) => {
      const level = LEVELS[Math.min(this.#least[event], this.#tap?.least[event] ?? SILENT)];
      return level === undefined ? [] : [[event, level] as const];
    });
    if (levels.length === 0) return undefined;
    return {
      level: Object.fromEntries(levels),
      sample: Math.max(this.#sample, this.#tap?.sample ?? 0),
      ...(this.asksUser && { user: true }),
      ...(this.asksTls && { tls: true }),
    };
  }

  /** Tells when {@link wanted} may have changed. @returns ends that. */
  watch(changed: () => void): () => void {
    return this.#tap?.watch(changed) ?? (() => {});
  }

  /** Makes one record and gives it to each sink that wants it. Never throws. */
  emit(level: Level, event: EventName, fields: Fields): void {
    const rank = RANK[level];
    if (rank < this.#least[event] && rank < (this.#tap?.least[event] ?? SILENT)) return;
    this.pass({ time: Date.now(), level, event, ...fields });
  }

  /** Hands on a record that was made elsewhere, in a worker. Never throws. */
  pass(record: LogRecord): void {
    if (record.event === "refuse" && this.sums?.takes(record) === true) return;
    const rank = RANK[record.level];
    for (const outlet of this.#outlets) {
      if (outlet.broken || rank < outlet.least[record.event]) continue;
      if (!passes(outlet.sample, rank, record.event, record.session)) continue;
      try {
        outlet.sink.write(record);
      } catch (error) {
        outlet.broken = true;
        this.#look();
        this.#broken(outlet.name, error);
      }
    }
    if (this.#tap !== undefined && rank >= this.#tap.least[record.event]) this.#tap.write(record);
  }

  /** Grows whenever {@link wants} may answer otherwise, so that who is asked often may remember it. */
  get changes(): number {
    return this.#changes + (this.#tap?.changes ?? 0);
  }

  #look(): void {
    this.#least = this.#lowest();
    this.#sample = this.#widest();
    this.#changes++;
  }

  get #sound(): readonly Open[] {
    return this.#outlets.filter(({ broken }) => !broken);
  }

  #lowest(): Record<EventName, number> {
    return byEvent((event) => Math.min(SILENT, ...this.#sound.map(({ least }) => least[event])));
  }

  #widest(): number {
    return Math.max(0, ...this.#sound.map(({ sample }) => sample));
  }
}

/** A number for each event. */
export function byEvent(rank: (event: EventName) => number): Record<EventName, number> {
  const entries = EVENTS.map((event) => [event, rank(event)] as const);
  return Object.fromEntries(entries) as Record<EventName, number>;
}

/** The least level of an event that is wanted; undefined for none. */
export function levelOf(level: Level | Levels, event: EventName): Level | undefined {
  if (typeof level !== "string") return level[event];
  return ON_DEMAND.includes(event) ? undefined : level;
}

/** The place of a level, from 0; of none, one above them all. */
export function rankOf(level: Level | undefined): number {
  return level === undefined ? SILENT : RANK[level];
}

/** Numbers follow each other, so they are scattered: Knuth's multiplicative hash, as a share of 2³². */
function passes(
  sample: number,
  rank: number,
  event: EventName,
  session: number | undefined,
): boolean {
  if (sample === 1 || session === undefined) return true;
  if (rank >= RANK.warn && event !== "refuse") return true;
  return (Math.imul(session, 0x9e3779b1) >>> 0) < sample * 2 ** 32;
}

/** Of a plugin's error, which may be anything. */
function stackOf(cause: unknown): string | undefined {
  try {
    return cause instanceof Error ? String(cause.stack ?? "").slice(0, STACK_MAX) : undefined;
  } catch {
    return undefined;
  }
}

/** Characters of a stack that are kept. */
const STACK_MAX = 8192;

/** The fields of an `error` record. Of a plugin's error also where in its code that was, if it is an Error. */
export function errorFields(
  error: { code?: unknown; side?: unknown; cause?: unknown },
): Record<string, unknown> {
  const { code, side, cause } = error;
  const message = messageOf(error);
  if (side !== "plugin") return { code, message, side };
  const at = placeOf(cause) ?? placeOf(error);
  const stack = stackOf(cause);
  return {
    code,
    message,
    side,
    ...(at !== undefined && { at }),
    ...(stack !== undefined && { stack }),
  };
}
