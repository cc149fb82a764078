/** The workers of one service: started, given sessions, watched, replaced. */
import { setTimeout } from "node:timers";
import type { WorkerStatus } from "../services/status.ts";
import type { Descriptors } from "../core/descriptors.ts";
import type { Address } from "../core/endpoint.ts";
import { messageOf } from "../core/errors.ts";
import { addCounters } from "../core/admission/room.ts";
import { addGrowth } from "../core/admission/tally.ts";
import type { Host, ReadyService } from "../services/contract.ts";
import type { Arrival } from "./pending.ts";
import type { Front } from "./dispatcher.ts";
import type { Exit, Policy } from "./launch.ts";
import { Member, type MemberEvents } from "./handle.ts";
import type { OwnedFile } from "./messages.ts";
import { watchPulse } from "./heartbeat.ts";
import { Row } from "./restart-policy.ts";

/** What all workers share of the service's sockets. */
export interface Shared {
  /** Duplicates of its datagram sockets, to answer from. Theirs who opened them. */
  readonly datagrams: readonly { readonly fd: number; readonly address: Address }[];
  readonly files: readonly OwnedFile[];
}

/** What a crew is made of. */
export interface CrewInput {
  readonly ready: ReadyService;
  readonly host: Host;
  readonly descriptors: Descriptors;
  readonly policy: Policy;
  /** Ten deaths in a row: there will be no more workers until {@link Crew.revive}. */
  readonly failed: () => void;
}

/** Milliseconds that killed workers may take to be gone. */
const GONE = 5000;
/** To how many workers a session is given that die before they have taken it. */
const TRIES = 3;

export class Crew {
  readonly #input: CrewInput;
  readonly #members: Set<Member> = new Set();
  /** Sessions that have their turn, and no worker yet. */
  #queue: Arrival[] = [];
  readonly #row: Row;
  readonly #events: MemberEvents;
  #front: Front | undefined = undefined;
  #shared: Shared | undefined = undefined;
  #numbers = 0;
  #measures = false;
  #stopping = false;
  #failed = false;
  #unwatch: () => void = () => {};
  readonly #timers: Set<ReturnType<typeof setTimeout>> = new Set();

  constructor(input: CrewInput) {
    this.#input = input;
    this.#row = new Row(input.ready.plan.concurrency.workers);
    const { log } = input.ready;
    this.#events = {
      record: (record) => log.pass(record),
      taken: (arrival) => arrival.front.taken(arrival),
      turned: (arrival) => arrival.front.turned(arrival),
      gone: (member, arrival) => {
        arrival.front.over(arrival);
        if (input.policy.once) this.#retire(member);
        this.#pump();
      },
      count: (growth) => addCounters(this.#front!.service.counters, growth),
      tally: (now, before) => addGrowth(this.#front!.service.room.tally, now, before),
      ended: (member, exit) => this.#ended(member, exit),
    };
  }

  status(): WorkerStatus[] {
    return [...this.#members].map((member) => member.status());
  }

  /** Starts the workers. @throws PorticoError that says what the first one of them failed of; none is left. */
  async start(front: Front): Promise<void> {
    this.#front = front;
    const started = Array.from({ length: this.#wanted() }, () => this.#launch());
    try {
      await Promise.all(started.map((member) => member.ready));
    } catch (error) {
      await this.stop(0);
      throw error;
    }
    this.#unwatch = watchPulse(this.#members, this.#input.ready.plan.limits.stall);
  }

  /** See {@link RunningService.measure}. */
  measure(): void {
    this.#measures = true;
    for (const member of this.#members) member.measure();
  }

  /** The sockets are open: sessions can be served. */
  open(shared: Shared): void {
    this.#shared = shared;
    for (const member of this.#members) {
      if (member.state === "ready") member.open(shared.datagrams, shared.files);
    }
    this.#pump();
  }

  dispatch(arrival: Arrival): void {
    this.#queue.push(arrival);
    if (this.#hopeless) queueMicrotask(() => this.#giveUp());
    else this.#pump();
  }

  /** There is no worker, and there will be none. */
  get #hopeless(): boolean {
    return this.#stopping || (this.#failed && this.#members.size === 0);
  }

  /** To abandon one may give its turn to another: those come in a turn of their own. */
  #giveUp(): void {
    for (const arrival of this.#queue.splice(0)) arrival.front.abandon(arrival);
  }

  /** Starts anew after it has failed. */
  revive(): void {
    if (!this.#failed) return;
    this.#failed = false;
    this.#row.clear();
    this.#fill();
  }

  /** How many workers there should be now. */
  #wanted(): number {
    const { concurrency } = this.#input.ready.plan;
    if (!this.#input.policy.once) return concurrency.workers;
    const busy = [...this.#members].filter((member) => member.served > 0).length;
    return Math.min(concurrency.max, busy + this.#queue.length + navigator.hardwareConcurrency);
  }

  #fill(): void {
    if (this.#stopping || this.#failed) return;
    while (this.#members.size < this.#wanted()) this.#follow(this.#launch());
  }

  /** A replacement says by itself when it is ready; when it is not, its end is told. */
  #follow(member: Member): void {
    member.ready.then(() => {
      const shared = this.#shared;
      if (shared !== undefined) member.open(shared.datagrams, shared.files);
      this.#pump();
    }, (error) => {
      if (!this.#stopping) this.#say("error", "failed", member, { message: messageOf(error) });
    });
  }

  #launch(): Member {
    const { policy, host, descriptors, ready } = this.#input;
    const launched = policy.launch(host, descriptors, ready.plan);
    const member = new Member(++this.#numbers, launched, descriptors, this.#events);
    this.#members.add(member);
    this.#say("debug", "started", member);
    const measures = (): boolean => this.#measures;
    member.begin(ready.plan, ready.log.wanted, measures).catch((error) => member.fail(error));
    return member;
  }

  /** Gives queued sessions to workers, in their order. */
  #pump(): void {
    let at = 0;
    for (; at < this.#queue.length; at++) {
      const arrival = this.#queue[at]!;
      if (arrival.phase !== "queued") continue;
      const member = this.#choose();
      if (member === undefined) break;
      if (!member.give(arrival)) {
        // Its lane is full for a moment, or it has died.
        this.#later(1, () => this.#pump());
        break;
      }
      arrival.front.given(arrival);
    }
    this.#queue.splice(0, at);
    if (this.#input.policy.once) this.#fill();
  }

  /** The one with the least to do that answers; of equals, the one that has served least. */
  #choose(): Member | undefined {
    if (this.#shared === undefined) return undefined;
    let best: Member | undefined;
    for (const member of this.#members) {
      if (member.state !== "ready" || member.full) continue;
      if (this.#input.policy.once && member.served > 0) continue;
      const less = best === undefined
        ? -1
        : Number(member.slow) - Number(best.slow) || member.live.size - best.live.size;
      if (less < 0 || (less === 0 && member.served < best!.served)) best = member;
    }
    return best;
  }

  /** It has done what it was for. */
  #retire(member: Member): void {
    if (member.state === "ready") member.retire(this.#input.ready.plan.limits.drain);
  }

  #ended(member: Member, exit: Exit): void {
    this.#members.delete(member);
    const expected = member.state === "draining" && member.doom === undefined;
    const lost = [...member.live.values()];
    member.live.clear();
    for (const arrival of lost) {
      // What it had not taken, nobody has read from.
      if (arrival.fd < 0) arrival.front.lost(arrival);
      else if (arrival.tries < TRIES && !this.#stopping) arrival.front.again(arrival);
      else arrival.front.abandon(arrival);
    }
    if (this.#stopping) return;
    if (expected) return this.#fill();
    const reason = member.doom ?? exit.message;
    this.#say("warn", "exited", member, {
      ...(exit.code !== undefined && { code: exit.code }),
      ...(exit.signal !== undefined && { signal: exit.signal }),
      ...(reason !== undefined && { reason }),
      ...(lost.length > 0 && { lost: lost.length }),
    });
    if (!this.#failed) return this.#replace(member);
    if (this.#hopeless) this.#giveUp();
  }

  #replace(member: Member): void {
    const { once } = this.#input.policy;
    // One that has served is not the first of a row, nor is one that one session has brought down.
    if (member.finished > 0 || (once && member.served > 0)) this.#row.clear();
    const pause = this.#row.next(performance.now());
    if (pause === undefined) return this.#fail();
    this.#front!.service.room.restarts++;
    this.#later(pause, () => this.#fill());
  }

  #fail(): void {
    this.#failed = true;
    this.#giveUp();
    this.#input.failed();
  }

  #later(pause: number, what: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      what();
    }, pause);
    this.#timers.add(timer);
  }

  #say(
    level: "debug" | "warn" | "error",
    action: string,
    { number, pid }: Member,
    fields?: object,
  ): void {
    const { log, plan } = this.#input.ready;
    log.emit(level, "worker", { service: plan.name, action, worker: number, pid, ...fields });
  }

  /** Ends every session by ending the workers; others take their place. */
  async cut(): Promise<void> {
    const busy = [...this.#members].filter((member) => member.live.size > 0);
    for (const member of busy) member.retire(0);
    await Promise.all(busy.map((member) => member.over));
  }

  /** Workers that are stopping have to be quick about it. */
  hurry(): void {
    for (const member of this.#members) if (member.state === "draining") member.stop(0);
  }

  /**
   * Has every worker end its sessions, within `limit` ms, and itself; kills those that do not.
   * A second call shortens the wait.
   */
  async stop(limit: number): Promise<void> {
    this.#stopping = true;
    this.#unwatch();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#giveUp();
    const left = [...this.#members];
    for (const member of left) {
      // One that is starting has nothing to lose.
      if (member.state === "starting") member.kill("stop");
      else member.stop(limit);
    }
    const late = setTimeout(() => {
      for (const member of this.#members) member.kill("drain");
    }, limit + GONE);
    await Promise.all(left.map((member) => member.over));
    clearTimeout(late);
  }
}
