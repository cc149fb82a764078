/** Those who read the records of a server beside its sinks, `portico ctl logs` for one. */
import { byEvent, levelOf, type Levels, rankOf, type Tap } from "../core/log.ts";
import type { EventName, Level, LogRecord } from "../core/record.ts";
import type { RecordsQuery } from "../control/control.ts";
import { jsonLine } from "../sinks/line.ts";
import { TextBuffer } from "../sinks/text-buffer.ts";

/** What is kept for those who come later: what an operator has to know, and nothing that sessions make. */
const KEPT: Levels = {
  start: "info",
  listening: "info",
  ready: "info",
  reload: "info",
  suspend: "info",
  resume: "info",
  worker: "info",
  drain: "info",
  stop: "info",
  error: "warn",
  log: "warn",
};

/** How many are kept, and how many characters of JSON they may have. */
const KEPT_MAX = 200;
const KEPT_SIZE = 512 * 1024;

/** A record as it goes over the control socket. */
interface Line {
  readonly rank: number;
  readonly service: string | undefined;
  readonly json: string;
}

interface Reader {
  readonly level: Level;
  readonly service: string | undefined;
  readonly take: (json: string) => void;
}

/** Shared by all logs of a server. While nobody reads it wants {@link KEPT}, which is rare. */
export class RecordTap implements Tap {
  least: Readonly<Record<EventName, number>> = leastOf([]);
  /** Records of sessions are for readers; whoever reads wants all of them. */
  sample = 0;
  changes = 0;
  readonly #readers: Set<Reader> = new Set();
  readonly #watchers: Set<() => void> = new Set();
  readonly #buffer = new TextBuffer();
  #kept: Line[] = [];
  #size = 0;

  /**
   * Gives the last records that are kept, the oldest first, then those to come.
   *
   * @param take is given each as one line of JSON, without an LF; it returns at once and never throws.
   * @returns ends it.
   */
  read({ service, level, lines }: RecordsQuery, take: (json: string) => void): () => void {
    const least = rankOf(level);
    const found = this.#kept.filter((line) =>
      line.rank >= least && (service === undefined || line.service === service)
    );
    for (const { json } of found.slice(Math.max(0, found.length - lines))) take(json);
    const reader = { level, service, take };
    this.#readers.add(reader);
    this.#change();
    return () => {
      if (this.#readers.delete(reader)) this.#change();
    };
  }

  write(record: LogRecord): void {
    const rank = rankOf(record.level);
    const json = this.#toJson(record);
    if (rank >= rankOf(levelOf(KEPT, record.event))) {
      this.#keep({ rank, service: record.service, json });
    }
    for (const { level, service, take } of this.#readers) {
      if (rank < rankOf(levelOf(level, record.event))) continue;
      if (service === undefined || service === record.service) take(json);
    }
  }

  watch(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => void this.#watchers.delete(changed);
  }

  #keep(line: Line): void {
    this.#kept.push(line);
    this.#size += line.json.length;
    while (this.#kept.length > KEPT_MAX || this.#size > KEPT_SIZE) {
      this.#size -= this.#kept.shift()!.json.length;
    }
  }

  #toJson(record: LogRecord): string {
    this.#buffer.clear();
    jsonLine(record, this.#buffer);
    return DECODER.decode(this.#buffer.bytes.subarray(0, -1));
  }

  #change(): void {
    this.least = leastOf([...this.#readers].map(({ level }) => level));
    this.sample = this.#readers.size > 0 ? 1 : 0;
    this.changes++;
    for (const changed of this.#watchers) changed();
  }
}

const DECODER = new TextDecoder();

function leastOf(levels: readonly Level[]): Record<EventName, number> {
  return byEvent((event) =>
    Math.min(...[KEPT, ...levels].map((level) => rankOf(levelOf(level, event))))
  );
}
