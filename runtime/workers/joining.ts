/** In a worker: those who have come to listeners of the plugin's own, and ask the supervisor for a place. */
import type { Refusal } from "../core/admission/candidate.ts";
import type { Permit } from "../core/admission/permit.ts";
import type { RuleOptions } from "../core/plan.ts";
import type { StreamSession } from "../core/stream/session.ts";

/** The permit of one: granted when the supervisor has said so. */
class JoiningPermit implements Permit {
  readonly session: StreamSession;
  readonly #permit: Permit;
  granted = false;

  constructor(session: StreamSession, permit: Permit) {
    this.session = session;
    this.#permit = permit;
  }

  /** It has none. */
  returnTurn(): void {}

  release(): void {
    this.#permit.release();
  }
}

export class Joining {
  readonly #waiting: Map<number, JoiningPermit> = new Map();
  readonly #ask: (session: StreamSession) => void;
  readonly #permitOf: (id: number) => Permit;

  /**
   * @param ask tells the supervisor that one has come.
   * @param permitOf makes what tells it that nothing is left of one.
   */
  constructor(ask: (session: StreamSession) => void, permitOf: (id: number) => Permit) {
    this.#ask = ask;
    this.#permitOf = permitOf;
  }

  /** See {@link Join}. */
  readonly join = (session: StreamSession): Permit => {
    const permit = new JoiningPermit(session, this.#permitOf(session.id));
    this.#waiting.set(session.id, permit);
    this.#ask(session);
    return permit;
  };

  /** What the supervisor has decided. */
  decided(id: number, why: Refusal | undefined, options: RuleOptions | undefined): void {
    const permit = this.#waiting.get(id);
    if (permit === undefined) return;
    this.#waiting.delete(id);
    const { session } = permit;
    // It may have left meanwhile.
    if (session.over || session.phase !== "waiting") return;
    if (why !== undefined) return session.refused(why);
    permit.granted = true;
    if (options !== undefined) session.ruleOptions = options;
    session.admitted();
  }
}
