/** What stands between the log and a sink. It belongs to a reference: the sink itself may serve others otherwise. */
import type { Level, LogRecord, Sink } from "../core/record.ts";
import { type EventName, EVENTS, LEVELS } from "../core/record.ts";
import { levelOf, type Levels, type Outlet } from "../core/log.ts";
import type { SinkPlan } from "../core/plan.ts";
import { FIELD_WORDS } from "../values/field-words.ts";

/** The records that say who came and went. The others are whole, whatever `fields` says. */
const SELECTED: readonly EventName[] = ["open", "close", "refuse", "request", "datagram"];
/** What a record is nothing without; of a `refuse` that is why, and how often. */
const ALWAYS: readonly string[] = [
  "time",
  "level",
  "event",
  "service",
  "session",
  "rule",
  "limit",
  "count",
];

/** Leaves in these records only fields of these names or words. */
export function selectFields(sink: Sink, names: readonly string[]): Sink {
  const kept = new Set([
    ...ALWAYS,
    ...names.flatMap((name) => Object.hasOwn(FIELD_WORDS, name) ? FIELD_WORDS[name]! : [name]),
  ]);
  return {
    write(record) {
      sink.write(SELECTED.includes(record.event) ? select(record, kept) : record);
    },
  };
}

function select(record: LogRecord, kept: ReadonlySet<string>): LogRecord {
  const result: Record<string, unknown> = {};
  for (const name in record) if (kept.has(name)) result[name] = record[name];
  return result as unknown as LogRecord;
}

/** The levels that a reference wants: of all events, or of some. */
export function levelsOf({ level, events }: Pick<SinkPlan, "level" | "events">): Level | Levels {
  return events === undefined ? level : Object.fromEntries(events.map((event) => [event, level]));
}

/** An outlet whose sink may have a policy round it. */
export interface OpenOutlet extends Outlet {
  /** The sink itself. */
  readonly base: Sink;
}

/**
 * Each sink once, for whatever any of its references wants: for what concerns the whole server, and so
 * no session.
 */
export function unite(outlets: readonly OpenOutlet[]): Outlet[] {
  const bySink = Map.groupBy(outlets, ({ base }) => base);
  return [...bySink].map(([sink, list]) => ({
    name: list[0]!.name,
    sink,
    level: Object.fromEntries(EVENTS.flatMap((event) => {
      const least = LEVELS.find((level) => list.some((one) => levelOf(one.level, event) === level));
      return least === undefined ? [] : [[event, least]];
    })),
  }));
}
