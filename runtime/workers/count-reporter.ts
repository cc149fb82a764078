import type { Totals } from "../core/totals.ts";
import type { Counted, WorkerEvent } from "./messages.ts";

/** What a worker has counted, and how much of it the supervisor has been told. */
export class CountReporter {
  readonly #totals: Totals;
  readonly #send: (report: WorkerEvent) => void;
  /** The changes of the statistics, the sessions that came as far as setup, and the bytes that were told last. */
  #changes = 0;
  #served = 0;
  #bytes = 0;
  #telling = false;

  constructor(totals: Totals, send: (report: WorkerEvent) => void) {
    this.#totals = totals;
    this.#send = send;
  }

  /** For a report that goes out now. */
  take(): Counted {
    const { counters, statistics } = this.#totals;
    const changed = statistics.changes !== this.#changes;
    this.#changes = statistics.changes;
    this.#served = counters.served;
    this.#bytes = counters.bytesIn + counters.bytesOut;
    return { counters, ...(changed && { statistics }) };
  }

  /** As {@link take}, with what has gone through the sessions that are open. */
  settle(): Counted {
    this.#totals.settle();
    return this.take();
  }

  /** Tells what has come to more by the end of this turn, unless another report has by then. */
  soon(): void {
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      const { counters, statistics } = this.#totals;
      if (counters.served !== this.#served || statistics.changes !== this.#changes) this.#tell();
    });
  }

  /** Tells what has gone through the sessions that are open, if that is more than before. */
  flow(): void {
    this.#totals.settle();
    const { bytesIn, bytesOut } = this.#totals.counters;
    if (bytesIn + bytesOut !== this.#bytes) this.#tell();
  }

  #tell(): void {
    this.#send({ type: "counted", ...this.take() });
  }
}
