import type { Clock, Timer } from "../clock.ts";
import type { HttpSession } from "./session.ts";

/** `limits.lifetime` for the requests of one service: one timer, as that of `deadlines.ts`, and as late. */
export class Lifetime {
  /** Milliseconds. */
  readonly #limit: number;
  readonly #sessions: Iterable<HttpSession>;
  readonly #missed: (sessions: readonly HttpSession[]) => void;
  readonly #clock: Clock;
  #timer: Timer | undefined = undefined;

  /** @param sessions in the order of their arrival. Those that are told are not missed again. */
  constructor(
    limit: number,
    sessions: Iterable<HttpSession>,
    missed: (sessions: readonly HttpSession[]) => void,
    clock: Clock,
  ) {
    this.#clock = clock;
    this.#limit = limit;
    this.#sessions = sessions;
    this.#missed = missed;
  }

  /** Arms the timer: there is a session that is served. */
  watch(): void {
    if (this.#limit === Infinity) return;
    const period = Math.min(1000, Math.max(10, this.#limit / 8));
    this.#timer ??= this.#clock.setInterval(() => this.#look(), period);
  }

  stop(): void {
    if (this.#timer === undefined) return;
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const late: HttpSession[] = [];
    const now = this.#clock.now();
    for (const session of this.#sessions) {
      if (now - session.opened <= this.#limit) break;
      if (session.permit.granted && session.more?.told !== true) late.push(session);
    }
    if (late.length > 0) this.#missed(late);
  }
}
