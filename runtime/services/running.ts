/**
 * A service that runs, whatever serves its sessions. Its states, and what leads from one to another:
 *
 *     starting ──► running ◄──resume── suspended ◄────────┐
 *                    │  └──suspend──────► ▲               │ when its sessions are over
 *                    ├──drain──► draining ┴───────────────┘      (resume ends a drain: running)
 *                    ├──above its rate──► resting ──in time, resume──► running
 *                    ├──the workers come to nothing──► failed ──resume──► running
 *                    └──stop, from any of them──► stopping ──► stopped
 *
 * Changes are made one after the other, in the order in which they were asked for; only a drain's
 * waiting is nobody's turn, so that `resume` and `stop` can end it. What a service is already, it
 * becomes without doing anything. While it stops, only `stop` is possible: it shortens the wait.
 */
import type { SourcePrefixes } from "../core/access/source.ts";
import type { Admission } from "../core/admission/admission.ts";
import { type Clock, SYSTEM_CLOCK } from "../core/clock.ts";
import type { Inherited } from "../core/descriptors.ts";
import type { Address } from "../core/endpoint.ts";
import { PorticoError } from "../core/errors.ts";
import { Totals } from "../core/totals.ts";
import type {
  Executor,
  ExecutorInput,
  Host,
  ReadyService,
  StartExecutor,
  Takeover,
} from "./contract.ts";
import { followRules } from "./extras.ts";
import { watchLoad } from "./load.ts";
import { Reception } from "./reception.ts";
import { Rest } from "./rest.ts";
import { admissionOf, describeService, sumsOf } from "./parts.ts";
import { LAST_REQUESTS, Sockets } from "./sockets.ts";
import type { ServiceStatus } from "./status.ts";

/** See the head of this file. */
export type ServiceState = ServiceStatus["state"] | "starting" | "stopping";

export class RunningService {
  /** What a successor counts on with. */
  readonly admission: Admission;
  readonly totals: Totals;
  readonly reception: Reception | undefined;
  readonly #ready: ReadyService;
  readonly #clock: Clock;
  readonly #sockets: Sockets;
  readonly #executor: Executor;
  #state: ServiceState = "starting";
  #stopped: Promise<void> | undefined = undefined;
  /** When a further call of {@link stop} wants it to be over, in ms of the clock. */
  #stopsAt = Infinity;
  /** The change that was asked for last. */
  #last: Promise<unknown> = Promise.resolve();
  readonly #rest: Rest;
  #closeLoad: () => void = () => {};
  /** The drain that is under way. */
  #drain: AbortController | undefined = undefined;

  private constructor(
    { ready, host, admission, totals }: ExecutorInput,
    executor: Executor,
  ) {
    const { plan, log } = ready;
    this.admission = admission;
    this.totals = totals;
    this.#ready = ready;
    this.#clock = host.clock ?? SYSTEM_CLOCK;
    log.sums ??= sumsOf(ready, this.#clock);
    this.#executor = executor;
    this.reception = plan.reached && new Reception(plan, executor, host, admission);
    this.#sockets = new Sockets(host, executor, totals, (address) => {
      log.emit("info", "listening", { service: plan.name, endpoint: String(address) });
    });
    this.#rest = new Rest(this.#clock, log, plan.name, this.#sockets, {
      become: (state) => this.#become(state),
      wake: () => admission.places.endRest(),
      fail: (reason) => this.#state === "resting" && void this.#fail(reason),
      inTurn: (act) => this.#inTurn(async () => void (this.#state === "resting" && await act())),
    });
    admission.rests = (ms) => this.#state === "running" && this.#rest.begin(ms);
  }

  /**
   * Starts the plugin and opens the endpoints; all or nothing.
   *
   * @throws PorticoError when the plugin does not start, or an endpoint cannot be opened.
   */
  static async start(
    ready: ReadyService,
    host: Host,
    takeover: Takeover,
    startExecutor: StartExecutor,
  ): Promise<RunningService> {
    let service = undefined as RunningService | undefined;
    const input: ExecutorInput = {
      ready,
      host,
      admission: admissionOf(ready.plan, host, takeover.admission),
      totals: takeover.totals ?? new Totals(),
      failed: (reason) => {
        if (service !== undefined) void service.#fail(reason);
      },
    };
    service = new RunningService(input, await startExecutor(input));
    try {
      await followRules(ready, host, input.admission);
      service.#closeLoad = watchLoad(input, service.#executor);
      for (const listen of ready.plan.listen) await service.#sockets.open(listen, takeover);
      service.#executor.opened();
    } catch (error) {
      await service.stop(0);
      throw error;
    }
    service.#become("running");
    return service;
  }

  get plan(): ReadyService["plan"] {
    return this.#ready.plan;
  }

  /** Calls `visit` for each session that waits or is served, with its bytes so far, as far as they are known. */
  async visitSessions(
    visit: (remote: Address, source: SourcePrefixes, bytesIn: number, bytesOut: number) => void,
  ): Promise<void> {
    const { source } = this.#ready.plan.limits;
    const elsewhere = new Map(await this.#executor.traffic());
    this.admission.places.forEach(({ admission, candidate }) => {
      // Whoever came to the service before this one has its place here, too.
      if (admission !== this.admission) return;
      const { remote, bytesIn = 0, bytesOut = 0 } = candidate;
      visit(remote, source, ...(elsewhere.get(candidate) ?? [bytesIn, bytesOut] as const));
    });
  }

  /** What is really bound, in the order of the manifest. */
  get addresses(): readonly Address[] {
    return this.#sockets.addresses;
  }

  status(): ServiceStatus {
    this.#executor.settle();
    this.#sockets.countLosses();
    return describeService(this.#ready.plan, this.#state, this, this.#executor);
  }

  /** See {@link Executor.measure}. */
  measure(): void {
    this.#executor.measure();
  }

  /** Duplicates of its sockets, by the text of their endpoint; whoever asks has to close them. */
  duplicates(): Promise<Map<string, Inherited[]>> {
    return this.#inTurn(() => this.#sockets.duplicates());
  }

  /** Whether its socket files are its own to remove, whatever happens to this process, or a successor's. */
  ownFiles(own: boolean): void {
    this.#executor.own(own ? this.#sockets.owned : []);
  }

  /**
   * Nobody goes on with these endpoints, by their texts: their listeners are closed for good now,
   * datagram sockets by {@link stop}, whatever it keeps.
   */
  abandon(texts: readonly string[]): Promise<void> {
    return this.#inTurn(() => this.#sockets.abandon(texts));
  }

  /** A successor accepts from here on, and we do no more; {@link stop} follows, which keeps the sockets. */
  yieldSockets(): Promise<void> {
    return this.#inTurn(() => this.#sockets.shut(true));
  }

  /** Accepts no more; newcomers wait in the kernel's queues. Sessions go on. */
  suspend(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#sockets.suspend();
      if (this.#state === "running" || this.#state === "resting") this.#become("suspended");
    });
  }

  /** Accepts again. A drain that is under way is over, and leaves the sessions alone. */
  resume(): Promise<void> {
    this.#endDrain();
    return this.#inTurn(async () => {
      // One that was asked for before this, and had to wait for its turn.
      this.#endDrain();
      this.#executor.drains(false);
      this.#executor.revive();
      await this.#sockets.resume();
      this.#become("running");
      this.admission.places.endRest();
    });
  }

  /** {@link suspend}, then waits up to `limit` ms for the sessions to end, and ends the rest. */
  async drain(limit: number): Promise<void> {
    const { drain, over } = await this.#inTurn(async () => {
      await this.#sockets.suspend();
      if (this.#stopped !== undefined) return { over: this.#stopped.then(() => true) };
      if (this.#state !== "failed") this.#become("draining");
      this.#drain ??= new AbortController();
      return { drain: this.#drain, over: this.#wait(limit) };
    });
    const ended = await over;
    if (drain === undefined || drain.signal.aborted) return;
    if (!ended) {
      this.admission.refuseWaiting();
      await this.#executor.cut();
    }
    // Kept connections may have a request on the way.
    if (ended) {
      const resumed = new Promise((resolve) => drain.signal.addEventListener("abort", resolve));
      await Promise.race([this.#sockets.settled(Math.min(limit, LAST_REQUESTS)), resumed]);
    }
    if (drain.signal.aborted) return;
    this.#sockets.abortRequests();
    this.#drain = undefined;
    if (this.#state === "draining") this.#become("suspended");
  }

  /** Whoever drains need not go on. */
  #endDrain(): void {
    this.#drain?.abort();
    this.#drain = undefined;
    this.admission.reopen();
  }

  /**
   * Lets the sessions end, for up to `limit` ms. @returns whether they have.
   *
   * @param keep a successor goes on with the sockets: who had connected before it is served.
   */
  #wait(limitMs: number, keep = false): Promise<boolean> {
    const { plan, log } = this.#ready;
    const { live } = this.admission;
    if (live > 0) log.emit("info", "drain", { service: plan.name, live, limitMs });
    if (!keep) this.admission.close();
    this.#executor.drains(true);
    return this.admission.empty(limitMs);
  }

  /** The workers come to nothing: newcomers wait in the kernel's queues until somebody resumes it. */
  #fail(reason: string): Promise<void> {
    const { plan, log } = this.#ready;
    this.#become("failed");
    log.emit("error", "suspend", { service: plan.name, reason });
    // It stops, or has.
    return this.#inTurn(() => this.#sockets.suspend()).catch(() => {});
  }

  /**
   * Stops accepting, waits up to `limit` ms for the sessions to end, ends the rest, then runs the
   * plugin's `stop`. A second call shortens the wait. Never rejects.
   *
   * @param keep somebody else goes on with the sockets: their files stay.
   * @param senders resolves when nobody hands it connections any more: {@link reception}.
   */
  stop(limit: number, keep = false, senders?: Promise<unknown>): Promise<void> {
    if (this.#stopped === undefined) this.#stopped = this.#stop(limit, keep, senders);
    else {
      // Whoever waits already is told by the clock of this one; who begins to wait later knows it.
      this.#stopsAt = Math.min(this.#stopsAt, this.#clock.now() + limit);
      void this.admission.empty(limit);
      this.#executor.hurry();
    }
    return this.#stopped;
  }

  async #stop(limit: number, keep: boolean, senders?: Promise<unknown>): Promise<void> {
    this.#state = "stopping";
    this.#rest.end();
    this.#closeLoad();
    this.#endDrain();
    await this.#last;
    await this.#sockets.shut(keep);
    if (this.reception !== undefined) await this.reception.end(keep, senders);
    let over = await this.#wait(this.#timeToStop(limit), keep);
    if (keep && limit > 0) {
      // Some have only connected by now.
      await this.#sockets.settled(LAST_REQUESTS);
      over = await this.admission.empty(over ? this.#timeToStop(limit) : 0);
    }
    if (!over) this.admission.refuseWaiting();
    await this.#executor.cut();
    await this.#sockets.close(keep);
    this.reception?.close();
    await this.#executor.end();
    this.#ready.log.sums?.flush();
    this.admission.forget();
    this.#state = "stopped";
  }

  /** Milliseconds that sessions have at a stop: `limit`, unless a later call has less patience. */
  #timeToStop(limit: number): number {
    return Math.max(0, Math.min(limit, Math.ceil(this.#stopsAt - this.#clock.now())));
  }

  /** What it is from here on; a service that stops becomes nothing else. */
  #become(state: ServiceState): void {
    this.#rest.end();
    if (this.#stopped !== undefined) return;
    this.#state = state;
    this.reception?.follow(state);
  }

  /** One change at a time. @throws PorticoError NOT_SUPPORTED when it stops, or has. */
  #inTurn<Result>(change: () => Promise<Result>): Promise<Result> {
    if (this.#stopped !== undefined) {
      const text = `the service ${JSON.stringify(this.#ready.plan.name)} is stopping`;
      return Promise.reject(new PorticoError("NOT_SUPPORTED", text));
    }
    const result = this.#last.then(change);
    this.#last = result.catch(() => {});
    return result;
  }
}
