import type { Candidate } from "./candidate.ts";
import type { Ticket } from "./ticket.ts";

/** Those that have a place, and how many of them came from each source. */
export class Placed {
  count = 0;
  readonly #sources: Map<string, number> = new Map();
  /** The list of them. */
  #first: Ticket | undefined = undefined;

  /** How many came from one source. */
  from(source: string): number {
    return this.#sources.get(source) ?? 0;
  }

  add(ticket: Ticket): void {
    this.count++;
    ticket.next = this.#first;
    if (this.#first !== undefined) this.#first.previous = ticket;
    this.#first = ticket;
    this.#countSource(ticket.source);
  }

  remove(ticket: Ticket): void {
    this.count--;
    const { source, previous, next } = ticket;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next !== undefined) next.previous = previous;
    ticket.previous = ticket.next = undefined;
    if (source === "") return;
    const left = this.from(source) - 1;
    if (left === 0) this.#sources.delete(source);
    else this.#sources.set(source, left);
  }

  /** Calls `visit` for each. */
  forEach(visit: (ticket: Ticket) => void): void {
    for (let ticket = this.#first; ticket !== undefined; ticket = ticket.next) visit(ticket);
  }

  /** Counts all anew, by what is their source now. */
  countSources(sourceOf: (candidate: Candidate) => string): void {
    this.#sources.clear();
    for (let ticket = this.#first; ticket !== undefined; ticket = ticket.next) {
      this.#countSource(ticket.source = sourceOf(ticket.candidate));
    }
  }

  #countSource(source: string): void {
    if (source !== "") this.#sources.set(source, this.from(source) + 1);
  }
}
