import type { Admission } from "./admission.ts";
import type { Permit } from "./permit.ts";
import type { Waiter } from "./queue.ts";

/** How far it has come: waiting for a place, for a turn; being served; done but for its close; over. */
export const STAGE = { place: 0, turn: 1, served: 2, turned: 3, over: 4 } as const;

/** The permit of one candidate of an {@link Admission}. */
export class Ticket implements Permit {
  readonly admission: Admission;
  /** What `perSource` counts it by; empty where nobody counts, and for peers without an address. */
  readonly source: string;
  stage: number = STAGE.place;
  /** While it waits. */
  waiter: Waiter | undefined = undefined;

  constructor(admission: Admission, source: string) {
    this.admission = admission;
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
