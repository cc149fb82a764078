import { Count } from "../count.ts";
import type { HttpSession } from "./session.ts";

/**
 * The requests that are under way, in the order of their arrival: a list whose links are the sessions
 * themselves, as each of many requests comes and goes.
 */
export class LiveSessions extends Count implements Iterable<HttpSession> {
  #first: HttpSession | undefined = undefined;
  #last: HttpSession | undefined = undefined;

  add(session: HttpSession): void {
    session.previous = this.#last;
    if (this.#last === undefined) this.#first = session;
    else this.#last.next = session;
    this.#last = session;
    this.up();
  }

  /** Once for each that was added. */
  remove(session: HttpSession): void {
    const { previous, next } = session;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    session.previous = session.next = undefined;
    this.down();
  }

  /** Nobody may be removed meanwhile. */
  *[Symbol.iterator](): Generator<HttpSession> {
    for (let each = this.#first; each !== undefined; each = each.next) yield each;
  }
}
