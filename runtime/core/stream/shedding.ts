/** Which streams of one thread have been idle longest, for whoever has to make room. */
import type { Candidate } from "../admission/candidate.ts";
import type { Shedder } from "../admission/shedder.ts";
import { Idlest } from "../timers/idlest.ts";
import type { StreamPipeline } from "./pipeline.ts";
import { StreamSession } from "./session.ts";

/** Its number, and for how many ms it has been idle. */
export type Idle = readonly [id: number, idle: number];

export class StreamShedder implements Shedder {
  readonly #pipeline: StreamPipeline;
  readonly #idlest: Idlest<StreamSession>;
  /** Those that were named, and not ended: they are the first to be named again. */
  #named: { readonly session: StreamSession; readonly active: number }[] = [];

  constructor(pipeline: StreamPipeline) {
    this.#pipeline = pipeline;
    this.#idlest = new Idlest(pipeline.deadlines, canGo);
  }

  shed(among: Iterable<Candidate> | undefined): boolean {
    const session = among === undefined ? this.#idlest.next() : this.#idlestOf(among);
    if (session === undefined) return false;
    this.#pipeline.cutOne(session, "shed");
    return true;
  }

  #idlestOf(among: Iterable<Candidate>): StreamSession | undefined {
    let found: StreamSession | undefined;
    for (const session of among) {
      if (!(session instanceof StreamSession) || session.pipeline !== this.#pipeline) continue;
      if (canGo(session) && (found === undefined || session.active < found.active)) found = session;
    }
    return found;
  }

  /** The `count` that have been idle longest of all, and those of these numbers that can go. */
  name(count: number, among: ReadonlySet<number>): Idle[] {
    const named = this.#named.filter(({ session, active }) =>
      session.slot !== -1 && session.active === active && canGo(session)
    );
    const known = new Set(named.map(({ session }) => session));
    // When all have been the answer, they are again.
    for (let again = 0; named.length < count && again <= known.size;) {
      const session = this.#idlest.next();
      if (session === undefined) break;
      if (known.has(session)) again++;
      else named.push({ session, active: session.active });
      known.add(session);
    }
    this.#named = named;
    const now = this.#pipeline.deadlines.readClock();
    const idle = new Map(named.slice(0, count).map(({ session: { id }, active }) => [id, active]));
    if (among.size > 0) {
      this.#pipeline.deadlines.each((session) => {
        if (among.has(session.id) && canGo(session)) idle.set(session.id, session.active);
      });
    }
    return [...idle].map(([id, active]) => [id, now - active]);
  }

  /** Ends those of these numbers that still can go. */
  end(ids: readonly number[]): void {
    const wanted = new Set(ids);
    this.#pipeline.deadlines.forEach((session) => {
      if (wanted.has(session.id) && canGo(session)) this.#pipeline.cutOne(session, "shed");
    });
  }
}

/** One that is not served yet, or that ends already, makes no room. */
function canGo(session: StreamSession): boolean {
  return session.phase === "served" && !session.over;
}
