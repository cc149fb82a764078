/** The records of a server, as they come, and waiting for them. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { Observable } from "./observable.ts";

/** What a record has to have: equal values, or text that fits a pattern. A text alone is its event. */
export type RecordPattern = string | Readonly<Record<string, unknown>>;

interface Fields {
  readonly event: string;
  readonly [field: string]: unknown;
}

export abstract class Records<Kind extends Fields> extends Observable {
  readonly records: Kind[] = [];

  protected summary(): string {
    const last = this.records.slice(-30).map((record) => JSON.stringify(record)).join("\n");
    return `${this.records.length} records, of which the last are\n${last}`;
  }

  /** Why no more records will come; undefined while they may. */
  protected get ending(): string | undefined {
    return undefined;
  }

  protected add(record: Kind): void {
    this.records.push(record);
    this.changed();
  }

  /** All records that fit, so far. */
  all(pattern: RecordPattern): Kind[] {
    return this.records.filter((record) => fits(record, pattern));
  }

  /** Waits until so many records fit; all of them. */
  async count(count: number, pattern: RecordPattern): Promise<Kind[]> {
    const what = `${count} records ${inWords(pattern)}`;
    // Each is looked at once: of a busy server tens of thousands may come while this waits.
    let [seen, found] = [0, 0];
    const enough = (): boolean => {
      if (seen > this.records.length) [seen, found] = [0, 0];
      while (seen < this.records.length) if (fits(this.records[seen++]!, pattern)) found++;
      return found >= count;
    };
    await this.when(what, () => enough() || this.ending !== undefined);
    if (!enough()) assert.fail(`${this.ending}, without ${what}:\n${this.summary()}`);
    return this.all(pattern);
  }

  /** The first record that fits, or the one of that number, of those that have come and those to come. */
  async record(pattern: RecordPattern, number = 1): Promise<Kind> {
    return (await this.count(number, pattern))[number - 1]!;
  }
}

function fits(record: Fields, pattern: RecordPattern): boolean {
  if (typeof pattern === "string") return record.event === pattern;
  return Object.entries(pattern).every(([key, value]) =>
    value instanceof RegExp
      ? value.test(String(record[key]))
      : isDeepStrictEqual(record[key], value)
  );
}

function inWords(pattern: RecordPattern): string {
  return JSON.stringify(pattern, (_, value) => value instanceof RegExp ? String(value) : value);
}
