/**
 * `limits.bytesPerSecond` and `limits.bytes` of the sessions of one service. It is loaded where a service
 * has such limits; the others have nothing of it on their way.
 */
import type { Clock } from "../clock.ts";
import type { StreamTable } from "../contract.ts";
import type { Limits } from "../plan.ts";
import type { StreamSession } from "../stream/session.ts";
import { meteredTable } from "./connection.ts";
import { HttpMeter } from "./http.ts";
import { Throttle } from "./throttle.ts";

/** One timer does for all that wait in one service. */
export class Metering {
  readonly #limits: Limits;
  readonly #throttle: Throttle;

  constructor(limits: Limits, clock: Clock) {
    this.#limits = limits;
    this.#throttle = new Throttle(clock);
  }

  /** What an adapter calls in the place of a table of a {@link StreamPipeline}. */
  table(table: StreamTable): StreamTable {
    return meteredTable(table, {
      limits: this.#limits,
      throttle: this.#throttle,
      moved({ data }): void {
        const session = data as StreamSession;
        session.active = session.pipeline.deadlines.now;
      },
      exceeded({ data }, unsent): void {
        const session = data as StreamSession;
        session.bytesOut -= unsent;
        session.pipeline.cutOne(session, "bytes");
      },
    });
  }

  get http(): HttpMeter {
    return new HttpMeter(this.#limits, this.#throttle);
  }
}
