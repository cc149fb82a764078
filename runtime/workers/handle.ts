/** One worker, as its supervisor sees it. */
import type { Descriptors, SocketFileId } from "../core/descriptors.ts";
import type { Address } from "../core/endpoint.ts";
import { type Code, CODES, PorticoError } from "../core/errors.ts";
import type { ServicePlan } from "../core/plan.ts";
import { type Counters, growthOf, newCounters } from "../core/totals.ts";
import { newStatistics, type Statistics } from "../core/statistics.ts";
import { realUrl } from "../modules/import.ts";
import type { WorkerStatus } from "../services/status.ts";
import { ownIds } from "./own-ids.ts";
import type { PendingSession } from "./pending.ts";
import { Channel, join } from "./channel.ts";
import { TrafficAsker } from "./traffic.ts";
import type { HandleEvents } from "./handle-events.ts";
import { Cuts } from "./cuts.ts";
import { IdleAsker } from "./shedding.ts";
import { Heartbeat } from "./heartbeat.ts";
import { endedTooSoon, type Launched } from "./launch.ts";
import {
  type CertificatesCommand,
  type Counted,
  type DatagramMessage,
  encodePlan,
  type NewsCommand,
  partsOf,
  toAddress,
  type WorkerCommand,
  type WorkerEvent,
  type WorkerState,
} from "./messages.ts";

/** Milliseconds that a worker may take to be gone, when it ought to be. */
const GONE = 5000;
/** Milliseconds that a worker may take to load its plugin, on a busy machine. */
const LOADING = 30_000;
/** Milliseconds after that of a plugin's start, in which a worker that can says itself that it is over. */
const GRACE = 1000;
const TIMER_MAX = 2 ** 31 - 1;

export class WorkerHandle {
  readonly number: number;
  readonly pid: number;
  readonly live: Map<number, PendingSession> = new Map();
  /** Resolves when it can serve; rejects with what it says that it has failed of, or when it dies first. */
  readonly ready: Promise<void>;
  state: WorkerStatus["state"] = "starting";
  /** Its modules are not there yet, which costs CPU. */
  loads = true;
  served = 0;
  /** Sessions that it has served to their end. */
  finished = 0;
  /** Why we have killed it. */
  killReason: string | undefined = undefined;
  /** It has never been there: this machine had not enough of something to start it. */
  absent = false;
  readonly #launched: Launched;
  readonly #descriptors: Descriptors;
  readonly #events: HandleEvents;
  readonly #channel: Channel<WorkerCommand, WorkerEvent>;
  readonly #born: number = performance.now();
  readonly #readiness = Promise.withResolvers<void>();
  readonly #deaf = Promise.withResolvers<void>();
  readonly #over = Promise.withResolvers<void>();
  #counters: Counters = newCounters();
  #statistics: Statistics = newStatistics();
  /** Datagrams that this turn has given to it, with the bytes of each. */
  #datagrams: DatagramMessage[] = [];
  #bytes: Uint8Array[] = [];
  /** Streams that were given to it, and that it has not taken yet. */
  readonly #given: PendingSession[] = [];
  readonly heartbeat: Heartbeat = new Heartbeat(() => this.#channel.send({ type: "ping" }));
  readonly traffic: TrafficAsker = new TrafficAsker(this);
  readonly #cuts: Cuts = new Cuts((command) => this.#channel.send(command));
  readonly idle: IdleAsker = new IdleAsker((count, among) =>
    this.#channel.send({ type: "idle", count, among })
  );
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  /** Milliseconds that its plugin's start may take. */
  #patience: number = 0;

  constructor(
    number: number,
    launched: Launched,
    descriptors: Descriptors,
    events: HandleEvents,
  ) {
    this.number = number;
    this.pid = launched.pid;
    this.#launched = launched;
    this.#descriptors = descriptors;
    this.#events = events;
    this.ready = this.#readiness.promise;
    this.ready.catch(() => {});
    this.#channel = new Channel<WorkerCommand, WorkerEvent>(
      (report) => this.#receive(report),
      () => this.#deaf.resolve(),
    );
    void this.#follow();
  }

  /** Tells it what to run. @throws PorticoError, when the plan holds what no other thread can be given. */
  async begin(
    plan: ServicePlan,
    state: () => WorkerState,
    certificates?: CertificatesCommand,
  ): Promise<void> {
    this.#patience = plan.limits.start + GRACE;
    this.#expect(LOADING);
    await this.#channel.open(this.#descriptors, this.#launched.channel);
    try {
      const [bytes, ids] = [encodePlan(plan), ownIds()];
      const module = realUrl(plan.plugin.url);
      const { number } = this;
      if (certificates !== undefined) this.#channel.send(certificates);
      this.#channel.send({ type: "job", bytes, module, ids, number, ...state() });
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

  /** The sockets that datagrams come to. */
  open(sockets: readonly { readonly fd: number; readonly address: Address }[]): void {
    for (const { fd } of sockets) this.#descriptors.pass(this.#launched.descriptorChannel, fd);
    const datagrams = sockets.map(({ address }) => partsOf(address));
    this.#channel.send({ type: "sockets", datagrams });
  }

  /** What it removes when this process is killed. */
  own(files: readonly SocketFileId[]): void {
    this.#channel.send({ type: "files", files });
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
  give(session: PendingSession): boolean {
    const { id, remote, local, fd, bytes, socket } = session;
    if (bytes !== undefined) {
      const from = partsOf(remote);
      const to = from.length === 4 ? local.host : partsOf(local);
      const message = { id, socket, from, to, size: bytes.length };
      const plain = session.ruleOptions === undefined && !session.known;
      this.#datagrams.push(plain ? message : { ...message, ...session.more });
      this.#bytes.push(bytes);
      if (this.#datagrams.length === 1) queueMicrotask(() => this.#sendDatagrams());
    } else {
      try {
        if (!this.#descriptors.pass(this.#launched.descriptorChannel, fd, id)) return false;
      } catch {
        // It has died, and its end is on the way.
        return false;
      }
      const command = { type: "take", id, remote: partsOf(remote), local: partsOf(local) } as const;
      this.#channel.send(session.plain ? command : { ...command, ...session.more });
      this.#given.push(session);
    }
    this.live.set(id, session);
    this.served++;
    session.tries++;
    session.cuts = this.#cuts;
    return true;
  }

  #sendDatagrams(): void {
    const [datagrams, bytes] = [this.#datagrams, join(this.#bytes)];
    this.#datagrams = [];
    this.#bytes = [];
    this.#channel.send({ type: "datagrams", datagrams, bytes });
  }

  /** What it has to know from now on; one that was not told its job yet, learns it with that. */
  tell(command: NewsCommand): void {
    this.#channel.send(command);
  }

  /** Ends it when it has no session any more, within `patience` ms and a little, whatever its plugin does. */
  retire(patience: number): void {
    this.stop();
    this.#late(patience, () => {
      this.stop();
      this.#late(GONE, () => this.kill("stop"));
    });
  }

  #late(limit: number, act: () => void): void {
    clearTimeout(this.#timer);
    if (limit <= TIMER_MAX) this.#timer = setTimeout(act, limit);
  }

  /** Has it end its sessions and itself; a second time: be quick. */
  stop(): void {
    this.state = "draining";
    this.#channel.send({ type: "stop" });
  }

  kill(why: string): void {
    this.killReason ??= why;
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

  #receive(report: WorkerEvent): void {
    switch (report.type) {
      case "loaded":
        this.loads = false;
        this.#expect(this.#patience);
        return this.#events.loaded();
      case "ready":
        this.state = "ready";
        clearTimeout(this.#timer);
        return this.#readiness.resolve();
      case "failed": {
        const code = Object.hasOwn(CODES, report.code) ? report.code as Code : "START_FAILED";
        const { message, side, hint, at } = report;
        return this.#readiness.reject(new PorticoError(code, message, { side, hint, at }));
      }
      case "record":
        return this.#events.record(report.record);
      case "taken":
        for (const session of this.#given.splice(0, report.count)) this.#events.taken(session);
        return;
      case "join":
        return this.#join(report);
      case "confirmed":
        return this.live.get(report.id)?.confirm();
      case "offence":
        return this.live.get(report.id)?.offended(report.what);
      case "idle":
        return this.idle.answered(report.sessions);
      case "traffic":
        return this.traffic.answered(report.sessions);
      case "turned":
        return this.live.get(report.id)?.permit.returnTurn();
      case "gone": {
        this.#count(report);
        const session = this.live.get(report.id);
        if (session === undefined) return;
        this.live.delete(report.id);
        this.finished++;
        return this.#events.gone(this, session);
      }
      case "pong":
        this.heartbeat.answered();
        return this.#count(report);
      case "counted":
      case "stopped":
        return this.#count(report);
    }
  }

  #join({ id, remote, local }: Extract<WorkerEvent, { type: "join" }>): void {
    const answer = this.#events.join(id, { remote: toAddress(remote), local: toAddress(local) });
    const granted = "phase" in answer;
    if (granted) this.live.set(id, answer);
    const options = granted ? answer.ruleOptions : undefined;
    const more = granted ? options !== undefined && { options } : { why: answer };
    this.#channel.send({ type: "joined", id, ...more });
  }

  #count({ counters: now, statistics }: Counted): void {
    if (statistics !== undefined) {
      this.#events.statistics(statistics, this.#statistics);
      this.#statistics = statistics;
    }
    this.#events.count(growthOf(now, this.#counters));
    this.#counters = now;
  }

  async #follow(): Promise<void> {
    const exit = await this.#launched.exited;
    this.absent = exit.shortage === true && this.pid === 0;
    if (exit.lingers) this.#channel.abort();
    // What it said last is still in the channel.
    await this.#deaf.promise;
    clearTimeout(this.#timer);
    this.#descriptors.close(this.#launched.descriptorChannel);
    this.#readiness.reject(endedTooSoon(exit));
    this.#events.ended(this, exit);
    this.#over.resolve();
  }
}
