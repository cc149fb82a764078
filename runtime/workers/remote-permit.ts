import type { Permit } from "../core/admission/permit.ts";

/** In a worker: the permit of a session whose place and turn are the supervisor's. */
export class RemotePermit implements Permit {
  readonly granted = true;
  readonly #tell: (type: "turned" | "gone") => void;
  #turned = false;
  #released = false;

  constructor(tell: (type: "turned" | "gone") => void) {
    this.#tell = tell;
  }

  returnTurn(): void {
    if (this.#turned || this.#released) return;
    this.#turned = true;
    this.#tell("turned");
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#tell("gone");
  }
}
