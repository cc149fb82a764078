import type { Candidate } from "./candidate.ts";
import type { Ticket } from "./ticket.ts";

/** One that waits, as a link of a {@link WaitQueue}. */
export interface Waiter {
  readonly ticket: Ticket;
  readonly candidate: Candidate;
  /** When it came, in ms. */
  readonly since: number;
  /** Where it stands; undefined when it does not wait any more. */
  queue: WaitQueue | undefined;
  previous: Waiter | undefined;
  next: Waiter | undefined;
}

/** Who waits, in the order of arrival. Whoever leaves is taken out at once, from wherever it stands. */
export class WaitQueue {
  first: Waiter | undefined = undefined;
  last: Waiter | undefined = undefined;
  length = 0;

  /** Puts one where its arrival belongs: at the end, mostly. */
  add(waiter: Waiter): void {
    let before = this.last;
    while (before !== undefined && before.since > waiter.since) before = before.previous;
    waiter.queue = this;
    waiter.previous = before;
    waiter.next = before === undefined ? this.first : before.next;
    if (waiter.next === undefined) this.last = waiter;
    else waiter.next.previous = waiter;
    if (before === undefined) this.first = waiter;
    else before.next = waiter;
    this.length++;
  }

  remove(waiter: Waiter): void {
    if (waiter.queue !== this) return;
    if (waiter.previous === undefined) this.first = waiter.next;
    else waiter.previous.next = waiter.next;
    if (waiter.next === undefined) this.last = waiter.previous;
    else waiter.next.previous = waiter.previous;
    waiter.queue = waiter.previous = waiter.next = undefined;
    this.length--;
  }

  /** Calls `visit` for each, which removes none. */
  forEach(visit: (waiter: Waiter) => void): void {
    for (let each = this.first; each !== undefined; each = each.next) visit(each);
  }
}
