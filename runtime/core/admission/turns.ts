/** What waits for its turn. */
export interface Waiting {
  /** False when it has gone meanwhile, and its turn passes on. */
  readonly waits: boolean;
  /** The turn has come, and is taken: {@link Turns.leave} gives it back. */
  serve(): void;
}

/** Serves `max` at once; the others wait in the order of their arrival. */
export class Turns {
  readonly #max: number;
  #queue: Waiting[] = [];
  #head = 0;
  #taken = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** How many are queued; those that have gone meanwhile count until their turn comes. */
  get waiting(): number {
    return this.#queue.length - this.#head;
  }

  /** Takes a turn, when one is free. */
  enter(): boolean {
    if (this.#taken >= this.#max) return false;
    this.#taken++;
    return true;
  }

  /** Queues what could not {@link enter}. */
  wait(item: Waiting): void {
    this.#queue.push(item);
  }

  /** Gives a turn back, and with it serves who has waited longest. */
  leave(): void {
    this.#taken--;
    while (this.#head < this.#queue.length && this.#taken < this.#max) {
      const item = this.#queue[this.#head]!;
      this.#head++;
      if (this.#head === this.#queue.length || this.#head >= 1024) {
        this.#queue.splice(0, this.#head);
        this.#head = 0;
      }
      if (!item.waits) continue;
      this.#taken++;
      item.serve();
    }
  }
}
