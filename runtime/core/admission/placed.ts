import type { Candidate } from "./candidate.ts";
import type { Ticket } from "./ticket.ts";

/** Those that have a place, and how many of them came from each source. */
export class Placed {
  count = 0;
  readonly #sources: Map<string, number> = new Map();
  /** Those of each source, where somebody asks for them. */
  #tickets: Map<string, Set<Ticket>> | undefined = undefined;
  /** The list of them. */
  #first: Ticket | undefined = undefined;

  /** How many came from one source. */
  from(source: string): number {
    return this.#sources.get(source) ?? 0;
  }

  /** Whether {@link of} may be asked, from the next {@link countSources} on. */
  set keepsTickets(on: boolean) {
    this.#tickets = on ? new Map() : undefined;
  }

  /** Those that came from one source. */
  *of(source: string): Iterable<Candidate> {
    for (const { candidate } of this.#tickets?.get(source) ?? []) yield candidate;
  }

  add(ticket: Ticket): void {
    this.count++;
    ticket.next = this.#first;
    if (this.#first !== undefined) this.#first.previous = ticket;
    this.#first = ticket;
    this.#countSource(ticket);
  }

  remove(ticket: Ticket): void {
    this.count--;
    const { source, previous, next } = ticket;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next !== undefined) next.previous = previous;
    ticket.previous = ticket.next = undefined;
    if (source === "") return;
    const tickets = this.#tickets?.get(source);
    if (tickets?.delete(ticket) === true && tickets.size === 0) this.#tickets!.delete(source);
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
    this.#tickets?.clear();
    for (let ticket = this.#first; ticket !== undefined; ticket = ticket.next) {
      ticket.source = sourceOf(ticket.candidate);
      this.#countSource(ticket);
    }
  }

  #countSource(ticket: Ticket): void {
    const { source } = ticket;
    if (source === "") return;
    this.#sources.set(source, this.from(source) + 1);
    if (this.#tickets === undefined) return;
    const tickets = this.#tickets.get(source);
    if (tickets === undefined) this.#tickets.set(source, new Set([ticket]));
    else tickets.add(ticket);
  }
}
