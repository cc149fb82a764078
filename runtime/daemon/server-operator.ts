/** What the `admin` plugin of this package may do with the server that it runs in. */
import type { Control } from "../control/control.ts";
import type { Operator, RecordListener } from "../control/operator.ts";
import { PorticoError } from "../core/errors.ts";
import type { LogRecord, Sink } from "../core/record.ts";
import { BUCKETS, DELAY_BUCKETS, type Delays, newDelays } from "../core/statistics.ts";
import { Lag } from "../metrics/lag.ts";
import type { Metrics } from "../metrics/metrics.ts";

/** How many records are kept for those who come later. */
const RECENT_MAX = 500;

/** Hands on the supervisor, its metrics and the records. What costs anything begins when the first one asks. */
export class ServerOperator implements Operator {
  #control: Control | undefined = undefined;
  #measure: () => void = () => {};
  #metrics: Promise<Metrics> | undefined = undefined;
  readonly #delays: Delays = newDelays();
  #lag: Lag | undefined = undefined;
  readonly bounds: Operator["bounds"] = { delays: DELAY_BUCKETS, durations: BUCKETS };
  readonly #recent: LogRecord[] = [];
  readonly #listeners: Set<RecordListener> = new Set();
  /** Takes the records of all services, where one of them is an `admin`. */
  readonly sink: Sink = { write: (record) => this.#write(record) };

  /**
   * From here on there is something to control.
   *
   * @param measure has workers tell what costs them something, as soon as somebody wants it.
   */
  attach(control: Control, measure: () => void): void {
    this.#control = control;
    this.#measure = measure;
  }

  get control(): Control {
    if (this.#control === undefined) throw new PorticoError("NOT_RUNNING");
    return this.#control;
  }

  async metrics(): Promise<{ readonly type: string; readonly text: string }> {
    const delays = this.delays();
    this.#metrics ??= import("../metrics/metrics.ts").then(({ Metrics }) =>
      new Metrics(() => this.control.status(), delays)
    );
    const metrics = await this.#metrics;
    return { type: metrics.contentType, text: await metrics.text() };
  }

  delays(): Readonly<Delays> {
    if (this.#lag === undefined) {
      this.#lag = new Lag(this.#delays);
      this.#lag.start();
      this.#measure();
    }
    return this.#delays;
  }

  records(listener: RecordListener): () => void {
    for (const record of this.#recent) listener(record);
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #write(record: LogRecord): void {
    this.#recent.push(record);
    if (this.#recent.length > RECENT_MAX) this.#recent.shift();
    for (const listener of this.#listeners) listener(record);
  }

  close(): void {
    this.#lag?.close();
  }
}
