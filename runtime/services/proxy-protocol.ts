/**
 * The PROXY protocol of a service: who a peer is, is read before anybody asks whether it may be served. It stands
 * between the listener and the pipeline, where descriptors are, so that every strategy has the peer that was told of.
 *
 *     ACCEPT → may it send a header? → the header, taken off → RULES → LIMITS → …
 */
import { AccessRules } from "../core/access/rules.ts";
import type { Refusal } from "../core/admission/candidate.ts";
import { type Clock, SYSTEM_CLOCK } from "../core/clock.ts";
import type { AdmitTable, Descriptors, Origin } from "../core/descriptors.ts";
import { messageOf } from "../core/errors.ts";
import type { ProxyProtocolPlan } from "../core/plan.ts";
import { readProxyHeader } from "../core/prologue/proxy-header.ts";
import { told } from "../core/prologue/via.ts";
import type { Fields } from "../core/record.ts";
import type { Service } from "../core/service.ts";
import { HeaderWait } from "./header-wait.ts";
import { BROKEN, FULL, LIAR, MOST_HEADER, refuseArrival } from "./proxy-refusal.ts";

/** What it needs of descriptors. */
type Calls = Pick<Descriptors, "close" | "peek" | "skip" | "watchArrivals">;

/** One whose header is not there yet. */
interface Waiting {
  readonly fd: number;
  readonly origin: Origin;
  readonly since: number;
  readonly table: AdmitTable;
  /** May say who it comes for. */
  readonly trusted: boolean;
  unwatch: (() => void) | undefined;
  over: boolean;
}

const head = new Uint8Array(new ArrayBuffer(MOST_HEADER));

export class ProxyProtocol {
  readonly #plan: ProxyProtocolPlan;
  readonly #service: Service;
  readonly #descriptors: Calls;
  readonly #clock: Clock;
  readonly #from: AccessRules;
  readonly #waiting: HeaderWait<Waiting>;

  constructor(
    plan: ProxyProtocolPlan,
    service: Service,
    descriptors: Calls,
    clock: Clock = SYSTEM_CLOCK,
  ) {
    this.#plan = plan;
    this.#service = service;
    this.#descriptors = descriptors;
    this.#clock = clock;
    this.#from = new AccessRules({ rules: plan.from, others: false });
    this.#waiting = new HeaderWait(clock, plan.wait, (one) => this.#late(one));
  }

  /** What a listener tells of arrivals, so that `table` is told who they are. */
  reading(table: AdmitTable): AdmitTable {
    return {
      arrive: (fd, origin) => this.#arrive(fd, origin, table),
      failure: (error) => table.failure(error),
    };
  }

  /** Refuses who waits; to be called when the service lets nobody in any more. */
  close(): void {
    this.#waiting.close((one) => this.#refuse(one, { limit: "drain" }));
  }

  #arrive(fd: number, origin: Origin, table: AdmitTable): void {
    const trusted = this.#from.decide(origin.remote, this.#clock.wall()).served;
    const since = this.#clock.now();
    const one: Waiting = { fd, origin, since, table, trusted, unwatch: undefined, over: false };
    if (!trusted && this.#plan.mode === "require") {
      return this.#refuse(one, LIAR);
    }
    if (this.#look(one, false)) return;
    if (this.#waiting.full) return this.#refuse(one, FULL);
    one.unwatch = this.#descriptors.watchArrivals(fd, (ended) => void this.#look(one, ended));
    if (one.unwatch === undefined) return this.#refuse(one, FULL);
    this.#waiting.add(one);
  }

  /** Whether it is decided. */
  #look(one: Waiting, ended: boolean): boolean {
    if (one.over) return true;
    try {
      return this.#read(one, ended);
    } catch (error) {
      return this.#wrong(one, messageOf(error));
    }
  }

  #read(one: Waiting, ended: boolean): boolean {
    const { fd, origin, trusted } = one;
    const count = this.#descriptors.peek(fd, head);
    const found = count > 0 ? readProxyHeader(head.subarray(0, count), MOST_HEADER) : "more";
    if (found === "none") return this.#without(one);
    if (found === "more") {
      if (count !== 0 && !ended) return false;
      // Who says nothing at all may be served, as who says something else.
      if (count <= 0 && this.#plan.mode === "accept") return this.#without(one);
      return this.#wrong(one, "the peer ended before its PROXY header");
    }
    if (!trusted) return this.#wrong(one, "");
    this.#descriptors.skip(fd, found.length);
    this.#pass(one, told(origin, found));
    return true;
  }

  /** It has not said who it comes for. */
  #without(one: Waiting): true {
    if (this.#plan.mode === "accept") this.#pass(one, one.origin);
    else this.#wrong(one, "there is no PROXY header");
    return true;
  }

  /** Whoever is trusted has made a mistake, anybody else a try. */
  #wrong(one: Waiting, message: string): true {
    if (one.trusted) this.#refuse(one, BROKEN, { message });
    else this.#refuse(one, LIAR);
    return true;
  }

  #pass(one: Waiting, origin: Origin): void {
    this.#leave(one);
    one.table.arrive(one.fd, origin);
  }

  #refuse(one: Waiting, why: Refusal, more?: Fields): void {
    this.#leave(one);
    refuseArrival(this.#service, "stream", one.origin, why, more);
    this.#descriptors.close(one.fd);
  }

  #leave(one: Waiting): void {
    one.over = true;
    one.unwatch?.();
    this.#waiting.delete(one);
  }

  #late(one: Waiting): void {
    // Where the server speaks first, a peer that needs no header says nothing.
    if (this.#plan.mode === "accept" && this.#silent(one)) this.#without(one);
    else this.#wrong(one, `no PROXY header within ${this.#plan.wait} ms`);
  }

  /** Whether it has said nothing. One that has been reset meanwhile has not. */
  #silent({ fd }: Waiting): boolean {
    try {
      return this.#descriptors.peek(fd, head) <= 0;
    } catch {
      return false;
    }
  }
}
