/** One worker, as its supervisor sees it. */
import type { Descriptors } from "../core/descriptors.ts";
import type { Address } from "../core/endpoint.ts";
import { type Code, CODES, PorticoError } from "../core/errors.ts";
import type { Wanted } from "../core/log.ts";
import type { ServicePlan } from "../core/plan.ts";
import type { LogRecord } from "../core/record.ts";
import { type Counters, growthOf, newCounters } from "../core/admission/room.ts";
import { newTally, type Tally } from "../core/admission/tally.ts";
import type { WorkerStatus } from "../services/status.ts";
import type { Arrival } from "./pending.ts";
import { Channel } from "./channel.ts";
import type { Exit, Launched } from "./launch.ts";
import { type Counted, type Order, type Parcel, partsOf, type Report } from "./messages.ts";

/** How many numbers each worker has for the sessions that its plugin opens itself. */
const OWN_IDS = 2 ** 24;
/** Milliseconds that a worker may take to be gone, when it ought to be. */
const GONE = 5000;
/** Milliseconds that a worker may take to load its plugin, on a busy machine. */
const LOADING = 30_000;
/** Milliseconds after the time of a plugin's start, in which a worker that can says itself that it is over. */
const GRACE = 1000;
/** The longest delay of a timer. */
const TIMER_MAX = 2 ** 31 - 1;

/** Workers that this process has started, of all services. */
let started = 0;

/** What a member tells its crew. */
export interface MemberEvents {
  record(record: LogRecord): void;
  taken(arrival: Arrival): void;
  turned(arrival: Arrival): void;
  gone(member: Member, arrival: Arrival): void;
  /** What its counters have grown by. */
  count(growth: Counters): void;
  /** What its tally is and was, when it has changed. */
  tally(now: Tally, before: Tally): void;
  /** The thread or process is no more, and nothing that it has said is unheard. */
  ended(member: Member, exit: Exit): void;
}

export class Member {
  readonly number: number;
  readonly pid: number;
  readonly live: Map<number, Arrival> = new Map();
  /** Resolves when it can serve; rejects with what it says that it has failed of, or when it dies first. */
  readonly ready: Promise<void>;
  state: WorkerStatus["state"] = "starting";
  served = 0;
  /** Sessions that it has served to their end. */
  finished = 0;
  /** Why we have killed it. */
  doom: string | undefined = undefined;
  readonly #launched: Launched;
  readonly #descriptors: Descriptors;
  readonly #events: MemberEvents;
  readonly #channel: Channel<Order, Report>;
  readonly #born: number = performance.now();
  readonly #readiness = Promise.withResolvers<void>();
  readonly #deaf = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<void>();
  #counters: Counters = newCounters();
  #tally: Tally = newTally();
  #parcels: Parcel[] = [];
  /** Streams that were given to it, and that it has not taken yet. */
  readonly #given: Arrival[] = [];
  /** When the ping was sent that was not answered. */
  #asked: number | undefined = undefined;
  /** It has left a ping unanswered for a while: others come first. */
  slow = false;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  /** Milliseconds that its plugin's start may take. */
  #patience: number = 0;

  constructor(
    number: number,
    launched: Launched,
    descriptors: Descriptors,
    events: MemberEvents,
  ) {
    this.number = number;
    this.pid = launched.pid;
    this.#launched = launched;
    this.#descriptors = descriptors;
    this.#events = events;
    this.ready = this.#readiness.promise;
    this.ready.catch(() => {});
    this.#channel = new Channel<Order, Report>(
      (report) => this.#hear(report),
      () => this.#deaf.resolve(),
    );
    void this.#follow();
  }

  /** Tells it what to run. @throws PorticoError, when the plan holds what no other thread can be given. */
  async begin(
    plan: ServicePlan,
    wanted: Wanted | undefined,
    measures: () => boolean,
  ): Promise<void> {
    this.#patience = plan.limits.start + GRACE;
    this.#expect(LOADING);
    await this.#channel.open(this.#descriptors, this.#launched.channel);
    try {
      // Sinks are the supervisor's affair.
      const [mute, ids] = [{ ...plan, log: [] }, ++started * OWN_IDS];
      this.#channel.send({ type: "job", plan: mute, wanted, ids, measure: measures() });
    } catch (cause) {
      const text = "the options hold something that cannot be sent to a worker, as a function";
      throw new PorticoError("START_FAILED", text, { cause });
    }
  }

  /** Lets it try to come on for so many ms. */
  #expect(limit: number): void {
    this.#late(limit, () => {
      const text = "the worker was not ready in time: its event loop is blocked";
      this.fail(new PorticoError("START_TIMEOUT", text));
    });
  }

  /** The sockets that datagrams come to, and the files of all. */
  open(
    sockets: readonly { readonly fd: number; readonly address: Address }[],
    files: Extract<Order, { type: "sockets" }>["files"],
  ): void {
    for (const { fd } of sockets) this.#descriptors.pass(this.#launched.lane, fd);
    const datagrams = sockets.map(({ address }) => partsOf(address));
    this.#channel.send({ type: "sockets", datagrams, files });
  }

  /** Resolves when the thread or process is no more. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** It cannot even be told what to do. */
  fail(error: unknown): void {
    this.#readiness.reject(error);
    this.#deaf.resolve();
    this.kill("failed");
  }

  /** Whether it can be given one more at this moment. */
  get full(): boolean {
    return this.#channel.full;
  }

  /** Gives it a session; false when that is not possible now. */
  give(arrival: Arrival): boolean {
    const { id, remote, local, fd, bytes, socket } = arrival;
    if (bytes !== undefined) {
      this.#parcels.push({ id, socket, from: partsOf(remote), bytes });
      if (this.#parcels.length === 1) queueMicrotask(() => this.#sendParcels());
    } else {
      try {
        if (!this.#descriptors.pass(this.#launched.lane, fd)) return false;
      } catch {
        // It has died, and its end is on the way.
        return false;
      }
      this.#channel.send({ type: "take", id, remote: partsOf(remote), local: partsOf(local) });
      this.#given.push(arrival);
    }
    this.live.set(id, arrival);
    this.served++;
    arrival.member = this;
    arrival.tries++;
    return true;
  }

  #sendParcels(): void {
    const parcels = this.#parcels;
    this.#parcels = [];
    this.#channel.send({ type: "parcels", parcels });
  }

  /** Asks whether its event loop turns; kills it when it has not answered for `limit` ms. */
  ping(limit: number): void {
    const now = performance.now();
    if (this.#asked !== undefined) {
      this.slow = true;
      if (now - this.#asked >= limit) this.kill("stalled");
      return;
    }
    this.#asked = now;
    this.#channel.send({ type: "ping" });
  }

  /** Has it tell how late its event loop is. */
  measure(): void {
    this.#channel.send({ type: "measure" });
  }

  /** The time that we were stopped ourselves is not its fault. */
  forgive(): void {
    if (this.#asked !== undefined) this.#asked = performance.now();
  }

  /** Ends it when it has no session any more, within `patience` ms and a little, whatever its plugin does. */
  retire(patience: number): void {
    this.stop(0);
    this.#late(patience, () => {
      this.stop(0);
      this.#late(GONE, () => this.kill("stop"));
    });
  }

  #late(limit: number, act: () => void): void {
    clearTimeout(this.#timer);
    if (limit <= TIMER_MAX) this.#timer = setTimeout(act, limit);
  }

  stop(limit: number): void {
    this.state = "draining";
    this.#channel.send({ type: "stop", limit });
  }

  kill(why: string): void {
    this.doom ??= why;
    this.#launched.kill();
  }

  status(): WorkerStatus {
    const uptime = Math.floor((performance.now() - this.#born) / 1000);
    return {
      pid: this.pid,
      state: this.state,
      live: this.live.size,
      served: this.served,
      uptime,
    };
  }

  #hear(report: Report): void {
    switch (report.type) {
      case "loaded":
        return this.#expect(this.#patience);
      case "ready":
        this.state = "ready";
        clearTimeout(this.#timer);
        return this.#readiness.resolve();
      case "failed": {
        const code = Object.hasOwn(CODES, report.code) ? report.code as Code : "START_FAILED";
        const { message, side } = report;
        return this.#readiness.reject(new PorticoError(code, message, { side }));
      }
      case "record":
        return this.#events.record(report.record);
      case "taken":
        for (const arrival of this.#given.splice(0, report.count)) this.#events.taken(arrival);
        return;
      case "turned": {
        const arrival = this.live.get(report.id);
        return arrival === undefined ? undefined : this.#events.turned(arrival);
      }
      case "gone": {
        this.#count(report);
        const arrival = this.live.get(report.id);
        if (arrival === undefined) return;
        this.live.delete(report.id);
        this.finished++;
        return this.#events.gone(this, arrival);
      }
      case "pong":
        this.#asked = undefined;
        this.slow = false;
        return this.#count(report);
      case "counted":
      case "stopped":
        return this.#count(report);
    }
  }

  #count({ counters: now, tally }: Counted): void {
    if (tally !== undefined) {
      this.#events.tally(tally, this.#tally);
      this.#tally = tally;
    }
    this.#events.count(growthOf(now, this.#counters));
    this.#counters = now;
  }

  async #follow(): Promise<void> {
    const exit = await this.#launched.exited;
    if (exit.lingers) this.#channel.abort();
    // What it said last is still in the channel.
    await this.#deaf.promise;
    clearTimeout(this.#timer);
    this.#descriptors.close(this.#launched.lane);
    const how = exit.message ??
      (exit.signal === undefined ? `code ${exit.code}` : `signal ${exit.signal}`);
    const text = `the worker ended before it was ready: ${how}`;
    this.#readiness.reject(new PorticoError("START_FAILED", text));
    this.#events.ended(this, exit);
    this.#over.resolve();
  }
}
