import type { LogRecord, Sink } from "../core/record.ts";

/** The last records of one sink. */
class RingBuffer implements Sink {
  readonly #limit: number;
  #records: LogRecord[] = [];
  /** Where the oldest is, once it is full. */
  #at = 0;
  #dropped = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  write(record: LogRecord): void {
    if (this.#records.length < this.#limit) return void this.#records.push(record);
    this.#records[this.#at] = record;
    this.#at = (this.#at + 1) % this.#limit;
    this.#dropped++;
  }

  dropped(): number {
    return this.#dropped;
  }

  get records(): LogRecord[] {
    return [...this.#records.slice(this.#at), ...this.#records.slice(0, this.#at)];
  }

  clear(): void {
    this.#records = [];
    this.#at = 0;
  }
}

const rings = new Map<string, RingBuffer>();

/** Keeps the last `limit` records in this process; {@link memoryRecords} has them. */
export function openMemory(name: string, limit: number): Sink {
  const ring = new RingBuffer(limit);
  rings.set(name, ring);
  return ring;
}

/**
 * The records of the `memory` sink of this name in `sinks` (`memory` where it stands inline), the oldest
 * first; none where there is no such sink in this process. The last one that was opened counts.
 */
export function memoryRecords(name = "memory"): readonly LogRecord[] {
  return rings.get(name)?.records ?? [];
}

/** Forgets them. */
export function clearMemory(name = "memory"): void {
  rings.get(name)?.clear();
}
