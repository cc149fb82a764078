/**
 * Peers whom the runtime accepts and reads, and who are told apart by the chunks that it delivers: whoever serves them
 * is in this thread, and is told of these first. What comes before is what the dispatcher does with descriptors.
 */
import type { Admission } from "../core/admission/admission.ts";
import { type Candidate, type Refusal, WEIGHT } from "../core/admission/candidate.ts";
import { type Permit, UNLIMITED } from "../core/admission/permit.ts";
import type { Connection, StreamTable } from "../core/contract.ts";
import { messageOf, type PorticoError } from "../core/errors.ts";
import type { RuleOptions } from "../core/plan.ts";
import type { Fields } from "../core/record.ts";
import { recordRefusal } from "../core/records.ts";
import type { Service } from "../core/service.ts";
import type { Manner } from "../services/contract.ts";
import { HeldConnection, holding, type Looker } from "../services/held-connection.ts";
import {
  type Crossroads,
  DRAIN,
  FULL,
  MOST,
  NOBODY,
  NOTHING,
  type Undecided,
} from "./crossroads.ts";

/** From its arrival until another service has it. */
class Comer extends HeldConnection implements Candidate, Undecided {
  readonly kind = "stream";
  readonly id: number;
  readonly weight = WEIGHT.stream;
  permit: Permit = UNLIMITED;
  ruleOptions: RuleOptions | undefined = undefined;
  // What records say of it, when it is refused.
  readonly bytesIn = 0;
  readonly bytesOut = 0;
  readonly reason = undefined;
  readonly #peers: HeldPeers;

  constructor(inner: Connection, peers: HeldPeers, id: number) {
    super(inner, 0);
    this.#peers = peers;
    this.id = id;
  }

  admitted(): void {
    this.#peers.take(this);
    if (this.phase === "waiting") this.proceed();
  }

  refused(why: Refusal): void {
    this.#peers.refuse(this, why);
  }

  late(): void {
    this.#peers.look(this, true);
  }

  dismiss(): void {
    this.#peers.refuse(this, DRAIN);
  }
}

export class HeldPeers implements Looker<Comer> {
  /** What an adapter calls. */
  readonly table: StreamTable = holding(this);
  readonly #crossroads: Crossroads;
  readonly #service: Service;
  readonly #admission: Admission;
  readonly #blames: boolean;
  readonly #manners: readonly Manner[];

  /**
   * @param admission of the service that listens.
   * @param blames peers are known by what they are refused for.
   * @param unix they come to a Unix socket.
   */
  constructor(
    crossroads: Crossroads,
    service: Service,
    admission: Admission,
    blames: boolean,
    unix: boolean,
  ) {
    this.#crossroads = crossroads;
    this.#service = service;
    this.#admission = admission;
    this.#blames = blames;
    this.#manners = crossroads.manners(unix);
  }

  open(connection: Connection): void {
    const { log, nextId } = this.#service;
    const one = new Comer(connection, this, nextId());
    // When it has gone, nobody knows any more where it was, nor to which address of ours it came.
    if (this.#blames || log.wants("info", "refuse", one.id)) void (one.remote, one.local);
    const answer = this.#admission.admit(one);
    if (!("stage" in answer)) return this.refuse(one, answer);
    one.permit = answer;
    if (answer.granted) this.take(one);
    else one.halt();
  }

  /** One that is let in. */
  take(one: Comer): void {
    const { waiting } = this.#crossroads;
    if (waiting.full) return this.refuse(one, FULL);
    one.since = this.#service.clock.now();
    waiting.add(one);
  }

  said(one: Comer): void {
    this.look(one, false);
  }

  ended(one: Comer): void {
    one.ended();
    this.look(one, true);
  }

  gone(one: Comer, error: PorticoError | undefined): void {
    if (one.phase === "over") return this.#service.banners?.gone(one);
    if (one.phase === "given") return;
    // While it waits for its turn, nobody has looked at it.
    if (!one.permit.granted) this.#over(one);
    // What it has said before still counts.
    else if (one.said !== undefined) this.look(one, true);
    else this.refuse(one, NOBODY, { message: messageOf(error) });
  }

  failure(error: PorticoError): void {
    this.#service.report(error);
  }

  /** @param last nothing more is waited for. */
  look(one: Comer, last: boolean): void {
    const { said = NOTHING } = one;
    const head = said.length > MOST ? said.subarray(0, MOST) : said;
    const found = this.#crossroads.decide(head, last || head.length === MOST);
    if (found === undefined) return;
    if (typeof found !== "number") return this.refuse(one, ...found);
    this.#crossroads.waiting.delete(one);
    one.manner = this.#manners[found]!;
    const why = this.#crossroads.lead(found, one);
    if (why !== undefined) this.refuse(one, ...why);
    else one.permit.release();
  }

  refuse(one: Comer, why: Refusal, more?: Fields): void {
    if (one.phase === "over") return;
    const service = this.#service;
    service.countRefusal(why, one);
    recordRefusal(service, "info", one, why, more);
    this.#over(one);
    if (!one.lost && service.banners?.dismissConnection(one, why) === true) one.proceed();
    else one.abort(!service.resets(why));
  }

  #over(one: Comer): void {
    one.phase = "over";
    this.#crossroads.waiting.delete(one);
    one.permit.release();
  }
}
