/** Ends sessions of workers that have been idle longest, of all of them: each is asked for its own. */
import { clearTimeout, setTimeout } from "node:timers";
import type { Candidate } from "../core/admission/candidate.ts";
import type { Shedder } from "../core/admission/shedder.ts";
import type { Idle } from "../core/stream/shedding.ts";

/** How long a worker may take to tell, in ms: one that is busy is not waited for. */
const PATIENCE = 500;

/** One worker, as far as it is asked. */
export interface Asked {
  readonly live: ReadonlyMap<number, unknown>;
  readonly idle: IdleAsker;
  tell(
    command: { readonly type: "cut"; readonly ids: readonly number[]; readonly reason: "shed" },
  ): void;
}

/** Asks one worker, once at a time. */
export class IdleAsker {
  readonly #ask: (count: number, among: readonly number[]) => void;
  #told: ((idle: readonly Idle[]) => void) | undefined = undefined;

  /** @param ask sends it the question. */
  constructor(ask: (count: number, among: readonly number[]) => void) {
    this.#ask = ask;
  }

  /** Nothing where it does not tell in time. */
  ask(count: number, among: readonly number[]): Promise<readonly Idle[]> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.answered([]), PATIENCE);
      this.#told = (idle) => {
        clearTimeout(timer);
        resolve(idle);
      };
      this.#ask(count, among);
    });
  }

  answered(idle: readonly Idle[]): void {
    this.#told?.(idle);
    this.#told = undefined;
  }
}

interface Wanted {
  /** Undefined for any. */
  readonly among: ReadonlySet<number> | undefined;
  readonly none: () => void;
}

export class PoolShedder implements Shedder {
  readonly #workers: ReadonlySet<Asked>;
  #wanted: Wanted[] = [];
  #asking = false;

  constructor(workers: ReadonlySet<Asked>) {
    this.#workers = workers;
  }

  shed(among: Iterable<Candidate> | undefined, none: () => void): boolean {
    const ids = among &&
      new Set([...among].map((session) => (session as { id: number } & Candidate).id));
    if (ids?.size === 0 || ![...this.#workers].some(({ live }) => live.size > 0)) return false;
    this.#wanted.push({ among: ids, none });
    // Who comes at once is asked for at once.
    if (!this.#asking) queueMicrotask(() => void this.#answer());
    this.#asking = true;
    return true;
  }

  async #answer(): Promise<void> {
    while (this.#wanted.length > 0) {
      const wanted = this.#wanted.splice(0);
      const count = wanted.filter(({ among }) => among === undefined).length;
      const named = wanted.flatMap(({ among }) => among === undefined ? [] : [...among]);
      const asked = [...this.#workers].filter(({ live }) => live.size > 0);
      const found = (await Promise.all(asked.map(async (worker) => {
        const own = named.filter((id) => worker.live.has(id));
        const idle = count > 0 || own.length > 0 ? await worker.idle.ask(count, own) : [];
        return idle.map(([id, ms]) => ({ id, ms, worker }));
      }))).flat().sort((a, b) => b.ms - a.ms || a.id - b.id);
      const ends = new Map<Asked, number[]>();
      // Those first who cannot take anybody.
      const inOrder = wanted.toSorted((a, b) =>
        Number(b.among !== undefined) - Number(a.among !== undefined)
      );
      for (const { among, none } of inOrder) {
        const at = found.findIndex(({ id }) => among === undefined || among.has(id));
        const [one] = at < 0 ? [] : found.splice(at, 1);
        if (one === undefined) none();
        else ends.set(one.worker, [...ends.get(one.worker) ?? [], one.id]);
      }
      for (const [worker, ids] of ends) worker.tell({ type: "cut", ids, reason: "shed" });
    }
    this.#asking = false;
  }
}
