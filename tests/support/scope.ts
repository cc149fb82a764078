/** What a test has made is undone when its scope is over. A test is one. */
export interface Scope {
  after(undo: () => unknown): void;
}

/** The scope of several tests: `after(() => shared.close())`. */
export class Shared implements Scope {
  readonly #undo: (() => unknown)[] = [];

  after(undo: () => unknown): void {
    this.#undo.push(undo);
  }

  async close(): Promise<void> {
    for (const undo of this.#undo.splice(0).reverse()) await undo();
  }
}
