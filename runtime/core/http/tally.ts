import type { Service } from "../service.ts";
import type { Meter, Totals } from "../totals.ts";

/**
 * What is counted of the requests of one service. Most are over within a millisecond, and come too often to
 * go to each counter that they belong to: those are added when somebody asks. Where somebody is told of each, as
 * in a worker, all are.
 */
export class HttpTally implements Meter {
  readonly #service: Service;
  #keeps: boolean;
  #served = 0;
  /** Ended as `done`, within the first millisecond. */
  #done = 0;

  constructor(service: Service) {
    this.#service = service;
    this.#keeps = service.counted === undefined;
    service.totals.meters.add(this);
  }

  served(): void {
    if (this.#keeps) this.#served++;
    else this.#service.countServed();
  }

  /** One that was served is over. */
  ended(reason: string, durationMs: number): void {
    if (this.#keeps && durationMs === 0 && reason === "done") this.#done++;
    else this.#service.countEnd(reason, durationMs);
  }

  settle({ counters, statistics }: Totals): void {
    counters.served += this.#served;
    if (this.#done > 0) {
      statistics.ended["done"] = (statistics.ended["done"] ?? 0) + this.#done;
      statistics.durations[0]! += this.#done;
      statistics.changes++;
    }
    this.#served = this.#done = 0;
  }

  /** Nobody comes any more. */
  close(): void {
    const { totals } = this.#service;
    this.settle(totals);
    this.#keeps = false;
    totals.meters.delete(this);
  }
}
