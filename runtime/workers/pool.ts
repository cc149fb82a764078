/** The workers of one service: started, given sessions, watched, replaced. */
import type { WorkerStatus } from "../services/status.ts";
import type { SocketFileId } from "../core/descriptors.ts";
import { messageOf, PorticoError } from "../core/errors.ts";
import { hookError } from "../core/hooks.ts";
import { addCounters } from "../core/totals.ts";
import { addGrowth } from "../core/statistics.ts";
import type { Executor } from "../services/contract.ts";
import type { PendingSession } from "./pending.ts";
import { freeNumber } from "./free-number.ts";
import { leastBusy } from "./least-busy.ts";
import { DispatchQueue } from "./dispatch-queue.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { keepWorkingDirectory } from "../identity/folder.ts";
import { type Exit, exitFields } from "./launch.ts";
import { WorkerHandle } from "./handle.ts";
import type { HandleEvents } from "./handle-events.ts";
import type { SharedSockets, WorkerState } from "./messages.ts";
import type { PoolInput } from "./pool-input.ts";
import { PoolGroup } from "./pool-group.ts";
import { watchWorkers } from "./watch.ts";
import { Replenishment } from "./replenish.ts";
import { RestartPolicy } from "./restart-policy.ts";
import { Timers } from "./timers.ts";
import { WorkerRecords } from "./worker-records.ts";
import { wantedOnce } from "./wanted.ts";
import { stopAll } from "./stop-all.ts";

/** Milliseconds that killed workers may take to be gone. */
const GONE = 5000;
/** Milliseconds after which it is tried again to start a worker, when this machine had not enough of something. */
const SHORT = 200;
/** To how many workers a session is given that die before they have taken it. */
const TRIES = 3;

export class WorkerPool {
  readonly #input: PoolInput;
  readonly #handles: Set<WorkerHandle> = new Set();
  readonly #queue: DispatchQueue = new DispatchQueue();
  readonly #restarts: RestartPolicy;
  readonly #records: WorkerRecords;
  readonly #events: HandleEvents;
  #dispatcher: Dispatcher | undefined = undefined;
  #shared: SharedSockets | undefined = undefined;
  /** What workers remove when this process is killed. */
  #files: readonly SocketFileId[] = [];
  /** What its workers know, and those to come learn. */
  readonly #told = { measure: false, drains: false };
  #stopping = false;
  #failed = false;
  /** There was no way to start a worker when that was tried last. */
  #short = false;
  /** It will be tried again. */
  #retrial = false;
  #unwatch: () => void = () => {};
  /** Where the kernel limits its workers. */
  group: PoolGroup | undefined = undefined;
  readonly #timers: Timers = new Timers();
  readonly #replenishment: Replenishment = new Replenishment(() => this.#fill());

  constructor(input: PoolInput) {
    this.#input = input;
    this.#records = new WorkerRecords(input.ready);
    this.#restarts = new RestartPolicy(input.ready.plan.concurrency.workers);
    const { log, plan } = input.ready;
    this.#events = {
      record: (record) => log.pass(record),
      taken: (session) => session.dispatcher.taken(session),
      join: (id, from) => this.#dispatcher!.join(id, from),
      gone: (handle, session) => {
        session.dispatcher.over(session);
        // It has done what it was for.
        if (input.use.once && handle.state === "ready" && handle.live.size === 0) {
          handle.retire(plan.limits.drain);
          this.#replenishment.now();
        }
        this.#pump();
      },
      loaded: () => input.use.once && this.#replenishment.now(),
      count: (growth) => addCounters(this.#dispatcher!.service.counters, growth),
      statistics: (now, before) =>
        addGrowth(this.#dispatcher!.service.totals.statistics, now, before),
      ended: (handle, exit) => this.#ended(handle, exit),
    };
  }

  status(): WorkerStatus[] {
    return [...this.#handles].map((handle) => handle.status());
  }

  /** Starts the workers. @throws PorticoError that says what the first one of them failed of; none is left. */
  async start(dispatcher: Dispatcher): Promise<void> {
    this.#dispatcher = dispatcher;
    const { ready: { plan }, host } = this.#input;
    try {
      this.group = await PoolGroup.open(host, plan);
      await Promise.all(Array.from({ length: this.#wanted() }, () => this.#launch().ready));
      this.#unwatch = watchWorkers(this.#handles, plan, this.group, this.#records.denied);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Those that there are. */
  get handles(): ReadonlySet<WorkerHandle> {
    return this.#handles;
  }

  /** See {@link RunningService.measure}. */
  measure(): void {
    this.#told.measure = true;
    for (const handle of this.#handles) handle.tell({ type: "measure" });
  }

  /** See {@link Executor.traffic}. */
  async traffic(): Promise<Awaited<ReturnType<Executor["traffic"]>>> {
    return (await Promise.all([...this.#handles].map(({ traffic }) => traffic.ask()))).flat();
  }

  /** Somebody wants other records: see {@link Log.watch}. */
  want(): void {
    const { wanted } = this.#input.ready.log;
    for (const handle of this.#handles) handle.tell({ type: "wanted", wanted });
  }

  /** See {@link Executor.drains}. */
  drains(on: boolean): void {
    if (this.#told.drains === on) return;
    this.#told.drains = on;
    for (const handle of this.#handles) handle.tell({ type: "drains", on });
  }

  /** The sockets are open: sessions can be served. */
  open(shared: SharedSockets): void {
    this.#shared = shared;
    for (const handle of this.#handles) if (handle.state === "ready") handle.open(shared);
    this.#pump();
  }

  /** See {@link Executor.own}. */
  own(files: readonly SocketFileId[]): void {
    this.#files = files;
    for (const handle of this.#handles) if (handle.state === "ready") handle.own(files);
  }

  dispatch(session: PendingSession): void {
    if (!this.#queue.add(session)) return session.dispatcher.refuse(session, { limit: "hold" });
    if (this.#hopeless) queueMicrotask(() => this.#giveUp());
    else this.#pump();
  }

  /** There is no worker, and there will be none. */
  get #hopeless(): boolean {
    return this.#stopping || (this.#failed && this.#handles.size === 0);
  }

  /** To abandon one may give its turn to another: those come in a turn of their own. */
  #giveUp(): void {
    for (const session of this.#queue.clear()) session.dispatcher.abandon(session);
  }

  /** Starts anew after it has failed. */
  revive(): void {
    if (!this.#failed) return;
    this.#failed = false;
    this.#restarts.clear();
    this.#fill();
  }

  /** How many workers there should be now. */
  #wanted(): number {
    const { concurrency } = this.#input.ready.plan;
    if (!this.#input.use.once) return concurrency.workers;
    return wantedOnce(this.#handles, this.#queue.length, concurrency.max, this.#short);
  }

  #fill(): void {
    if (this.#stopping || this.#failed) return;
    try {
      while (this.#handles.size < this.#wanted()) this.#follow(this.#launch());
    } catch (error) {
      this.#waitForMore(error);
    }
  }

  /** No worker can be started at the moment: those who need one wait, and it is tried again. */
  #waitForMore(error: unknown): void {
    if (!this.#short) this.#dispatcher!.service.report(hookError(error));
    this.#short = true;
    if (this.#retrial) return;
    this.#retrial = true;
    this.#timers.later(SHORT, () => {
      this.#retrial = false;
      this.#fill();
    });
  }

  /** A replacement says by itself when it is ready; when it is not, its end is told. */
  #follow(handle: WorkerHandle): void {
    handle.ready.then(() => {
      this.#short = false;
      if (this.#shared !== undefined) handle.open(this.#shared);
      handle.own(this.#files);
      this.#pump();
    }, (error) => {
      if (this.#stopping || handle.absent) return;
      this.#records.say("error", "failed", handle, { message: messageOf(error) });
    });
  }

  #launch(): WorkerHandle {
    const { use, host, descriptors, ready, certificates } = this.#input;
    if (host.home !== undefined) keepWorkingDirectory(host.home);
    const launched = use.launch(host, descriptors, ready.plan);
    const handle = new WorkerHandle(freeNumber(this.#handles), launched, descriptors, this.#events);
    this.#handles.add(handle);
    this.group?.enter(handle);
    if (launched.pid > 0) this.#records.say("debug", "started", handle);
    const state = (): WorkerState => ({ wanted: ready.log.wanted, ...this.#told });
    handle.begin(ready.plan, state, certificates?.()).catch((error) => handle.fail(error));
    return handle;
  }

  /** Gives queued sessions to workers, in their order. */
  #pump(): void {
    this.#queue.drain((session) => session.phase !== "queued" || this.#send(session));
    if (!this.#input.use.once) return;
    if (leastBusy(this.#handles, true) === undefined) this.#replenishment.now();
    else this.#replenishment.later();
  }

  /** @returns false when no worker can take it at this moment. */
  #send(session: PendingSession): boolean {
    if (this.#shared === undefined) return false;
    const handle = leastBusy(this.#handles, this.#input.use.once);
    if (handle === undefined) return false;
    if (handle.give(session)) {
      session.dispatcher.given(session);
      return true;
    }
    // Its descriptor channel is full for a moment, or it has died.
    this.#timers.later(1, () => this.#pump());
    return false;
  }

  #ended(handle: WorkerHandle, exit: Exit): void {
    this.#handles.delete(handle);
    const killed = this.group?.left(handle);
    const expected = handle.state === "draining" && handle.killReason === undefined;
    const lost = [...handle.live.values()];
    handle.live.clear();
    for (const session of lost) {
      // What it had not taken, nobody has read from.
      if (session.fd < 0) session.dispatcher.lost(session);
      else if (session.tries < TRIES && !this.#stopping) session.dispatcher.dispatch(session);
      else session.dispatcher.abandon(session);
    }
    if (this.#stopping) return;
    if (expected) return this.#fill();
    // That is told once for all of them.
    if (handle.absent && !this.#failed) return this.#waitForMore(new PorticoError("EMFILE"));
    const reason = handle.killReason ?? killed ?? exit.message;
    const lastly = { ...exitFields(exit, reason), ...(lost.length > 0 && { lost: lost.length }) };
    this.#records.say("warn", "exited", handle, lastly);
    if (exit.shortage === true && !this.#failed) {
      return this.#waitForMore(new PorticoError("EMFILE"));
    }
    if (!this.#failed) return this.#replace(handle);
    if (this.#hopeless) this.#giveUp();
  }

  #replace(handle: WorkerHandle): void {
    const { once } = this.#input.use;
    // One that has served is not the first of a row, nor is one that one session has brought down.
    if (handle.finished > 0 || (once && handle.served > 0)) this.#restarts.clear();
    const pause = this.#restarts.next(performance.now());
    if (pause === undefined) return this.#fail();
    this.#dispatcher!.service.totals.restarts++;
    this.#timers.later(pause, () => this.#fill());
  }

  #fail(): void {
    this.#failed = true;
    this.#giveUp();
    this.#input.failed(this.#restarts.reason);
  }

  /** Ends every session by ending the workers that have any; others take their place. */
  async cut(): Promise<void> {
    const busy = [...this.#handles].filter((handle) => handle.live.size > 0);
    for (const handle of busy) handle.retire(0);
    await Promise.all(busy.map((handle) => handle.over));
  }

  /** Workers that are stopping have to be quick about it. */
  hurry(): void {
    for (const handle of this.#handles) if (handle.state === "draining") handle.stop();
  }

  /** Has every worker end its sessions, and itself; kills those that do not. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#unwatch();
    this.#timers.clear();
    this.#replenishment.stop();
    this.#giveUp();
    await stopAll(this.#handles, GONE);
    this.group?.close();
  }
}
