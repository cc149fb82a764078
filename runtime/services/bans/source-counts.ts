import type { Clock, Timer } from "../../core/clock.ts";

/** How long those who look on are taken to do so, in ms, after they have asked. */
const LOOK = 60_000;
/** Sources of one generation. */
const SOURCES = 4096;

/** What came from one source. */
export interface Arrivals {
  /** Sessions, requests and datagrams that asked to be served. */
  arrived: number;
  refused: number;
}

/**
 * Counts by source, while somebody looks on, in bounded memory: twice {@link SOURCES} are remembered, those
 * that were silent longest are forgotten first.
 */
export class SourceCounts {
  #young = new Map<string, Arrivals>();
  #old = new Map<string, Arrivals>();

  arrived(source: string): void {
    this.#of(source).arrived++;
  }

  refused(source: string): void {
    this.#of(source).refused++;
  }

  /** All that are remembered. */
  *entries(): Iterable<[string, Arrivals]> {
    yield* this.#young;
    yield* this.#old;
  }

  #of(source: string): Arrivals {
    const known = this.#young.get(source);
    if (known !== undefined) return known;
    const found = this.#old.get(source) ?? { arrived: 0, refused: 0 };
    this.#old.delete(source);
    if (this.#young.size >= SOURCES) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(source, found);
    return found;
  }
}

/** Somebody looks on, until nobody has asked for {@link LOOK} ms. */
export class Looking {
  readonly counts: SourceCounts = new SourceCounts();
  readonly #clock: Clock;
  readonly #over: () => void;
  #timer: Timer | undefined = undefined;

  constructor(clock: Clock, over: () => void) {
    this.#clock = clock;
    this.#over = over;
  }

  prolong(): void {
    this.#clock.clear(this.#timer);
    this.#timer = this.#clock.setTimeout(() => this.#over(), LOOK);
  }

  end(): void {
    this.#clock.clear(this.#timer);
    this.#over();
  }
}
