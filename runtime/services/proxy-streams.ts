/**
 * The PROXY protocol of connections that the runtime accepts, in the thread that serves them: the header is read of
 * the chunk that it stands in, and what follows it there is the peer's. It costs no system call, and needs no
 * descriptor. Where connections go by descriptor it is `proxy-protocol.ts` that reads.
 */
import { AccessRules } from "../core/access/rules.ts";
import type { Refusal } from "../core/admission/candidate.ts";
import type { Connection, StreamTable } from "../core/contract.ts";
import { messageOf } from "../core/errors.ts";
import type { ProxyProtocolPlan } from "../core/plan.ts";
import { readProxyHeader } from "../core/prologue/proxy-header.ts";
import { told } from "../core/prologue/via.ts";
import type { Fields } from "../core/record.ts";
import type { Service } from "../core/service.ts";
import { HeaderWait } from "./header-wait.ts";
import { BROKEN, FULL, LIAR, MOST_HEADER, refuseArrival } from "./proxy-refusal.ts";
import { ToldConnection } from "./told-connection.ts";

export class ProxyStreams {
  /** What an adapter calls. */
  readonly table: StreamTable;
  readonly #plan: ProxyProtocolPlan;
  readonly #service: Service;
  readonly #from: AccessRules;
  readonly #to: StreamTable;
  readonly #wait: HeaderWait<ToldConnection>;

  /** @param to is told of who has said whom it comes for. */
  constructor(plan: ProxyProtocolPlan, service: Service, to: StreamTable) {
    this.#plan = plan;
    this.#service = service;
    this.#from = new AccessRules({ rules: plan.from, others: false });
    this.#to = to;
    this.#wait = new HeaderWait(service.clock, plan.wait, (one) => this.#late(one));
    this.table = {
      open: (connection) => this.#open(connection),
      data: (connection, chunk) => {
        const one = connection.data as ToldConnection;
        return one.phase === "open" ? to.data(one, chunk) : this.#said(one, chunk);
      },
      drain: ({ data }) => {
        const one = data as ToldConnection;
        if (one.phase === "open") to.drain(one);
      },
      end: ({ data }) => this.#ended(data as ToldConnection),
      close: ({ data }, error) => {
        const one = data as ToldConnection;
        if (one.phase === "open") return one.closed(error);
        this.#wrong(one, error === undefined ? ENDED : messageOf(error));
      },
      secured: ({ data }) => to.secured?.(data as ToldConnection),
      failure: (error) => to.failure(error),
    };
  }

  /** Refuses who waits; to be called when the service lets nobody in any more. */
  close(): void {
    this.#wait.close((one) => this.#refuse(one, { limit: "drain" }));
  }

  #open(connection: Connection): void {
    const { clock } = this.#service;
    const trusted = this.#from.decide(connection.remote, clock.wall()).served;
    const one = new ToldConnection(connection, this.#to, trusted, clock.now());
    if (!trusted && this.#plan.mode === "require") return this.#refuse(one, LIAR);
    if (this.#wait.full) return this.#refuse(one, FULL);
    this.#wait.add(one);
  }

  #said(one: ToldConnection, chunk: Uint8Array): boolean | void {
    if (one.phase !== "waiting") return false;
    const whole = one.head === undefined ? chunk : join(one.head, chunk);
    const lent = whole === chunk;
    let found: ReturnType<typeof readProxyHeader>;
    try {
      found = readProxyHeader(whole, MOST_HEADER);
    } catch (error) {
      return this.#wrong(one, messageOf(error));
    }
    if (found === "more") {
      one.head = lent ? new Uint8Array(chunk) : whole;
      return false;
    }
    if (found === "none") return this.#without(one, whole, lent);
    if (!one.trusted) return this.#refuse(one, LIAR);
    this.#wait.delete(one);
    const peer = told(one, found);
    const rest = whole.subarray(found.length);
    const kept = one.open(peer === one ? undefined : peer, rest, lent);
    return lent && kept;
  }

  /** It has not said whom it comes for. */
  #without(one: ToldConnection, said: Uint8Array | undefined, lent: boolean): boolean | void {
    if (this.#plan.mode === "require") return this.#wrong(one, "there is no PROXY header");
    this.#wait.delete(one);
    const kept = one.open(undefined, said, lent);
    return lent && kept;
  }

  #ended(one: ToldConnection): void {
    if (one.phase === "open") return one.ended();
    if (one.phase !== "waiting") return;
    if (this.#plan.mode !== "accept" || one.head !== undefined) return this.#wrong(one, ENDED);
    // Who says nothing at all may be served, as who says something else.
    this.#without(one, undefined, false);
    one.ended();
  }

  /** Where the server speaks first, a peer that needs no header says nothing. */
  #late(one: ToldConnection): void {
    if (this.#plan.mode === "accept" && one.head === undefined) {
      this.#without(one, undefined, false);
    } else this.#wrong(one, `no PROXY header within ${this.#plan.wait} ms`);
  }

  /** Whoever is trusted has made a mistake, anybody else a try. */
  #wrong(one: ToldConnection, message: string): void {
    if (one.trusted) this.#refuse(one, BROKEN, { message });
    else this.#refuse(one, LIAR);
  }

  #refuse(one: ToldConnection, why: Refusal, more?: Fields): void {
    if (one.phase === "over") return;
    one.phase = "over";
    this.#wait.delete(one);
    refuseArrival(this.#service, "stream", one, why, more);
    one.abort(true);
  }
}

const ENDED = "the peer ended before its PROXY header";

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}
