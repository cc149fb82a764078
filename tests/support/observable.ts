import { within } from "./until.ts";

/** Something that changes by events, and that a test waits for. */
export abstract class Observable {
  readonly #waiting = new Set<() => void>();

  /** What there is, for the message when what was waited for did not come. */
  protected abstract summary(): string;

  /** Something is different: whoever waits looks again. */
  protected changed(): void {
    for (const look of this.#waiting) look();
  }

  /** Resolves as soon as `condition` holds. */
  async when(what: string, condition: () => boolean, limit?: number): Promise<void> {
    if (condition()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => condition() ? resolve() : undefined;
    this.#waiting.add(look);
    try {
      await within(what, promise, limit);
    } catch (error) {
      throw new Error(`${(error as Error).message}; there is ${this.summary()}`);
    } finally {
      this.#waiting.delete(look);
    }
  }
}
