import type { Room } from "../core/admission/room.ts";
import type { Counted, Report } from "./messages.ts";

/** What a worker has counted, and how much of it the supervisor has been told. */
export class Account {
  readonly #room: Room;
  readonly #send: (report: Report) => void;
  /** The changes of the tally, the sessions that came as far as setup, and the bytes that were told last. */
  #changes = 0;
  #served = 0;
  #bytes = 0;
  #telling = false;

  constructor(room: Room, send: (report: Report) => void) {
    this.#room = room;
    this.#send = send;
  }

  /** For a report that goes out now. */
  take(): Counted {
    const { counters, tally } = this.#room;
    const changed = tally.changes !== this.#changes;
    this.#changes = tally.changes;
    this.#served = counters.served;
    this.#bytes = counters.bytesIn + counters.bytesOut;
    return { counters, ...(changed && { tally }) };
  }

  /** As {@link take}, with what has gone through the sessions that are open. */
  settle(): Counted {
    this.#room.settle();
    return this.take();
  }

  /** Tells what has come to more by the end of this turn, unless another report has by then. */
  soon(): void {
    if (this.#telling) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      const { counters, tally } = this.#room;
      if (counters.served !== this.#served || tally.changes !== this.#changes) this.#tell();
    });
  }

  /** Tells what has gone through the sessions that are open, if that is more than before. */
  flow(): void {
    this.#room.settle();
    const { bytesIn, bytesOut } = this.#room.counters;
    if (bytesIn + bytesOut !== this.#bytes) this.#tell();
  }

  #tell(): void {
    this.#send({ type: "counted", ...this.take() });
  }
}
