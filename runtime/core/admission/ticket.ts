import type { Admission } from "./admission.ts";
import type { Candidate } from "./candidate.ts";
import type { Permit } from "./permit.ts";
import type { Waiter } from "./queue.ts";

/** How far it has come: waiting for a place, for a turn; being served; done but for its close; over. */
export const STAGE = { place: 0, turn: 1, served: 2, turned: 3, over: 4 } as const;

/** The permit of one candidate of an {@link Admission}. */
export class Ticket implements Permit {
  readonly admission: Admission;
  /** Asked for its address no sooner than somebody counts by it. */
  readonly candidate: Candidate;
  /** What `perSource` counts it by; empty where nobody counts, and for peers without an address. */
  source: string;
  /** The list of those that have a place. */
  previous: Ticket | undefined = undefined;
  next: Ticket | undefined = undefined;
  stage: number = STAGE.place;
  /** While it waits. */
  waiter: Waiter | undefined = undefined;

  constructor(admission: Admission, candidate: Candidate, source: string) {
    this.admission = admission;
    this.candidate = candidate;
    this.source = source;
  }

  get granted(): boolean {
    return this.stage >= STAGE.served;
  }

  returnTurn(): void {
    if (this.stage !== STAGE.served) return;
    this.stage = STAGE.turned;
    this.admission.places.returnTurn();
  }

  release(): void {
    const { stage } = this;
    if (stage === STAGE.over) return;
    this.stage = STAGE.over;
    this.admission.places.release(this, stage);
  }
}
