/**
 * The PROXY protocol of connections that the runtime accepts, in the thread that serves them: the header is read of
 * the chunk that it stands in, and what follows it there is the peer's. Where connections go by descriptor it is
 * `proxy-protocol.ts` that reads.
 */
import { AccessRules } from "../core/access/rules.ts";
import type { Refusal } from "../core/admission/candidate.ts";
import type { Connection, StreamTable } from "../core/contract.ts";
import { messageOf, type PorticoError } from "../core/errors.ts";
import type { ProxyProtocolPlan } from "../core/plan.ts";
import { readProxyHeader } from "../core/prologue/proxy-header.ts";
import { told } from "../core/prologue/via.ts";
import type { Fields } from "../core/record.ts";
import type { Service } from "../core/service.ts";
import { HeaderWait } from "./header-wait.ts";
import { HeldConnection, holding, type Looker } from "./held-connection.ts";
import { BROKEN, FULL, LIAR, MOST_HEADER, refuseArrival } from "./proxy-refusal.ts";

class Announced extends HeldConnection {
  /** May say whom it comes for. */
  readonly trusted: boolean;

  constructor(inner: Connection, trusted: boolean, since: number) {
    super(inner, since);
    this.trusted = trusted;
  }
}

export class ProxyStreams implements Looker<Announced> {
  /** What an adapter calls. */
  readonly table: StreamTable = holding(this);
  readonly #plan: ProxyProtocolPlan;
  readonly #service: Service;
  readonly #from: AccessRules;
  readonly #to: StreamTable;
  readonly #wait: HeaderWait<Announced>;

  /** @param to is told of who has said whom it comes for. */
  constructor(plan: ProxyProtocolPlan, service: Service, to: StreamTable) {
    this.#plan = plan;
    this.#service = service;
    this.#from = new AccessRules({ rules: plan.from, others: false });
    this.#to = to;
    this.#wait = new HeaderWait(service.clock, plan.wait, (one) => this.#late(one));
  }

  /** Refuses who waits; to be called when the service lets nobody in any more. */
  close(): void {
    this.#wait.close((one) => this.#refuse(one, { limit: "drain" }));
  }

  open(connection: Connection): void {
    const { clock } = this.#service;
    const trusted = this.#from.decide(connection.remote, clock.wall()).served;
    const one = new Announced(connection, trusted, clock.now());
    if (!trusted && this.#plan.mode === "require") return this.#refuse(one, LIAR);
    if (this.#wait.full) return this.#refuse(one, FULL);
    this.#wait.add(one);
  }

  said(one: Announced, all: Uint8Array): void {
    let found: ReturnType<typeof readProxyHeader>;
    try {
      found = readProxyHeader(all, MOST_HEADER);
    } catch (error) {
      return this.#wrong(one, messageOf(error));
    }
    if (found === "more") return;
    if (found === "none") return this.#without(one);
    if (!one.trusted) return this.#refuse(one, LIAR);
    this.#wait.delete(one);
    const peer = told(one, found);
    one.drop(found.length);
    one.open(this.#to, peer === one ? undefined : peer);
  }

  ended(one: Announced): void {
    if (this.#plan.mode !== "accept" || one.said !== undefined) return this.#wrong(one, ENDED);
    // Who says nothing at all may be served, as who says something else.
    this.#without(one);
    one.ended();
  }

  gone(one: Announced, error: PorticoError | undefined): void {
    this.#wrong(one, error === undefined ? ENDED : messageOf(error));
  }

  failure(error: PorticoError): void {
    this.#to.failure(error);
  }

  /** It has not said who it comes for. */
  #without(one: Announced): void {
    if (this.#plan.mode === "require") return this.#wrong(one, "there is no PROXY header");
    this.#wait.delete(one);
    one.open(this.#to);
  }

  /** Where the server speaks first, a peer that needs no header says nothing. */
  #late(one: Announced): void {
    if (this.#plan.mode === "accept" && one.said === undefined) this.#without(one);
    else this.#wrong(one, `no PROXY header within ${this.#plan.wait} ms`);
  }

  /** Whoever is trusted has made a mistake, anybody else a try. */
  #wrong(one: Announced, message: string): void {
    if (one.trusted) this.#refuse(one, BROKEN, { message });
    else this.#refuse(one, LIAR);
  }

  #refuse(one: Announced, why: Refusal, more?: Fields): void {
    if (one.phase === "over") return;
    one.phase = "over";
    this.#wait.delete(one);
    refuseArrival(this.#service, "stream", one, why, more);
    one.abort(true);
  }
}

const ENDED = "the peer ended before its PROXY header";
