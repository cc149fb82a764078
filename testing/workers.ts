/**
 * Strategies with workers, in memory: several instances of the plugin in the place of threads and
 * processes, and the same dispatcher before them. What a plugin sees is what it would see there: its
 * `start` runs once for each worker, or for each session, and these share nothing that it closes over.
 */
import type { Refusal } from "../runtime/core/admission/candidate.ts";
import type { Permit } from "../runtime/core/admission/permit.ts";
import type {
  BindableEndpoint,
  Connection,
  DatagramSocket,
  Listener,
  StreamTable,
} from "../runtime/core/contract.ts";
import type { Origin } from "../runtime/core/descriptors.ts";
import { hookError } from "../runtime/core/hooks.ts";
import type { PorticoError } from "../runtime/core/errors.ts";
import type { ListenPlan } from "../runtime/core/plan.ts";
import { Service } from "../runtime/core/service.ts";
import type { StreamSession } from "../runtime/core/stream/session.ts";
import type { Executor, ExecutorInput } from "../runtime/services/contract.ts";
import { ServiceInstance } from "../runtime/services/instance.ts";
import { checkForm, checkKind } from "../runtime/services/kind.ts";
import { Cuts, cutSome } from "../runtime/workers/cuts.ts";
import { Dispatcher } from "../runtime/workers/dispatcher.ts";
import type { PendingSession } from "../runtime/workers/pending.ts";
import { giveExtras } from "./extras.ts";
import { senderOf } from "./sender.ts";
import { RemotePermit } from "../runtime/workers/remote-permit.ts";

/** An instance of the plugin, as one worker has it. */
interface Worker {
  readonly number: number;
  readonly instance: ServiceInstance;
  live: number;
  served: number;
}

/** A connection that no worker has yet, under the number that stands for its descriptor. */
interface Unserved {
  readonly fd: number;
  readonly connection: Connection;
  reset: (() => void) | undefined;
  /** It has closed before a worker had it. */
  closed: { readonly error: PorticoError | undefined } | undefined;
}

/** Makes the start of an executor; `once`: each instance serves one session. */
export function startWorkers(once: boolean): (input: ExecutorInput) => Promise<Executor> {
  return async (input) => {
    const executor = new MemoryWorkers(input, once);
    await executor.start();
    return executor;
  };
}

class MemoryWorkers implements Executor {
  readonly workers = [];
  readonly #input: ExecutorInput;
  readonly #once: boolean;
  readonly #dispatcher: Dispatcher;
  readonly #workers: Worker[] = [];
  readonly #unserved: Map<number, Unserved> = new Map();
  /** What is told of the connections that a worker has. */
  readonly #tables: WeakMap<Connection, StreamTable> = new WeakMap();
  readonly #given: Map<number, PendingSession> = new Map();
  readonly #senders: DatagramSocket[] = [];
  readonly #table: StreamTable;
  /** Instances that are being started, or stopped. */
  readonly #changing: Set<Promise<void>> = new Set();
  #fds = 0;
  #drains = false;
  #hurried = false;

  constructor(input: ExecutorInput, once: boolean) {
    this.#input = input;
    this.#once = once;
    const { ready: { plan, log }, host: { adapter, gather, nextId }, totals } = input;
    const { lends } = adapter.features;
    const offended = input.host.bans?.offendedBy(plan);
    const shared = { plan, log, gather, lends, nextId, totals, offended, clock: input.host.clock };
    const service = new Service({ ...shared, hooks: {} });
    const descriptors = {
      adopt: (fd: number, _: Origin, t: StreamTable) => Promise.resolve(this.#adoptUnserved(fd, t)),
      close: (fd: number) => this.#closeUnserved(fd, true),
      reset: (fd: number) => this.#closeUnserved(fd, false),
      watchReset: (fd: number, gone: () => void) => {
        const unserved = this.#unserved.get(fd)!;
        unserved.reset = gone;
        return () => void (unserved.reset = undefined);
      },
    };
    const send = (session: PendingSession): void => this.#serve(session);
    this.#dispatcher = new Dispatcher(service, input.admission, descriptors, send);
    this.#table = {
      open: (connection) => this.#open(connection),
      data: (connection, chunk) => this.#tables.get(connection)?.data(connection, chunk),
      drain: (connection) => this.#tables.get(connection)?.drain(connection),
      end: (connection) => this.#tables.get(connection)?.end(connection),
      close: (connection, error) => this.#closed(connection, error),
      failure: (error) => service.report(error),
    };
  }

  traffic(): Promise<[]> {
    return Promise.resolve([]);
  }

  async start(): Promise<void> {
    await giveExtras(this.#dispatcher.service, this.#input.admission, () => this.#instances);
    const count = this.#once ? 1 : this.#input.ready.plan.concurrency.workers;
    try {
      for (let number = 1; number <= count; number++) await this.#begin();
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  async #begin(): Promise<Worker> {
    const number = this.#freeNumber();
    const worker: Worker = { number, instance: undefined!, live: 0, served: 0 };
    this.#workers.push(worker);
    try {
      const { ready, host, totals } = this.#input;
      const join = (session: StreamSession) => this.#join(worker, session);
      const offended = host.bans?.offendedBy(ready.plan);
      const confirmed = (id: number): void => this.#given.get(id)?.confirm();
      const input = { ready, host, totals, worker: number, join, offended, confirmed };
      const instance = await ServiceInstance.start(input);
      Object.assign(worker, { instance });
      instance.drains(this.#drains);
      if (this.#hurried) instance.hurry();
      return worker;
    } catch (error) {
      this.#workers.splice(this.#workers.indexOf(worker), 1);
      throw error;
    }
  }

  #freeNumber(): number {
    let number = 1;
    while (this.#workers.some((worker) => worker.number === number)) number++;
    return number;
  }

  async listen(endpoint: BindableEndpoint, { options, text }: ListenPlan): Promise<Listener> {
    this.#check("stream", text);
    return await this.#input.host.adapter.listen(endpoint, this.#table, options);
  }

  async bind(endpoint: BindableEndpoint, { options, text }: ListenPlan): Promise<DatagramSocket> {
    this.#check("datagram", text);
    const { adapter } = this.#input.host;
    const socket = await adapter.bind(endpoint, this.#dispatcher.datagrams, options);
    // The dispatcher has the index there, and pipelines a successor.
    socket.data = this.#senders.push(senderOf(socket)) - 1;
    return socket;
  }

  #check(kind: "stream" | "datagram", text: string): void {
    const { plugin } = this.#input.ready;
    checkKind(plugin, kind, text);
    checkForm(plugin.name, this.#workers[0]!.instance.service.hooks, kind, text);
  }

  /** The strategy was asked before. */
  serve(): Promise<never> {
    return Promise.reject(new Error("workers cannot serve HTTP"));
  }

  adopt(): Promise<never> {
    return Promise.reject(new Error("there are no descriptors in memory"));
  }

  // Streams, on their way to a worker.

  #open(connection: Connection): void {
    connection.pause();
    const fd = ++this.#fds;
    const unserved: Unserved = { fd, connection, reset: undefined, closed: undefined };
    connection.data = unserved;
    this.#unserved.set(fd, unserved);
    this.#dispatcher.streams(-1).arrive(fd, connection);
  }

  #closed(connection: Connection, error: PorticoError | undefined): void {
    const table = this.#tables.get(connection);
    if (table !== undefined) return table.close(connection, error);
    // Of one that was closed unserved nobody wants to hear any more.
    const unserved = this.#unserved.get((connection.data as Unserved).fd);
    if (unserved !== undefined) unserved.closed = { error };
    unserved?.reset?.();
  }

  #adoptUnserved(fd: number, table: StreamTable): void {
    const { connection, closed } = this.#unserved.get(fd)!;
    this.#unserved.delete(fd);
    if (closed !== undefined) return;
    this.#tables.set(connection, table);
    table.open(connection);
    connection.resume();
  }

  #closeUnserved(fd: number, quiet: boolean): void {
    const { connection, closed } = this.#unserved.get(fd)!;
    this.#unserved.delete(fd);
    if (closed === undefined) connection.abort(quiet);
  }

  // Sessions, given to workers.

  #serve(session: PendingSession): void {
    const free = this.#workers.filter((worker) =>
      worker.instance !== undefined && !(this.#once && worker.served > 0)
    );
    const [worker] = free.sort((a, b) => a.live - b.live || a.served - b.served);
    if (worker !== undefined) return this.#give(session, worker);
    this.#follow(
      this.#begin().then(
        (begun) => this.#give(session, begun),
        (error) => {
          this.#dispatcher.service.report(hookError(error));
          this.#dispatcher.abandon(session);
        },
      ),
    );
  }

  #give(session: PendingSession, worker: Worker): void {
    const { id, remote, local, ruleOptions } = session;
    // It has left while a worker was being started for it.
    if (session.phase === "over") return this.#left(worker);
    worker.served++;
    this.#given.set(id, session);
    const permit = this.#permit(session, worker);
    const { streams, datagrams } = worker.instance;
    session.cuts = new Cuts((command) => cutSome(worker.instance, command));
    this.#dispatcher.given(session);
    if (session.bytes !== undefined) {
      const accepted = { id, permit, remote, local, ruleOptions, known: session.known };
      return datagrams!.accept(this.#senders[session.socket]!, session.bytes, accepted);
    }
    const { connection, closed } = this.#unserved.get(session.fd)!;
    this.#unserved.delete(session.fd);
    session.fd = -1;
    this.#dispatcher.taken(session);
    const table = worker.instance.streamTable((connection) =>
      void streams.accept(connection, { id, permit, ruleOptions })
    );
    this.#tables.set(connection, table);
    table.open(connection);
    if (closed !== undefined) table.close(connection, closed.error);
    else connection.resume();
  }

  #permit(session: PendingSession, worker: Worker): Permit {
    worker.live++;
    return new RemotePermit((type) => {
      if (type === "turned") return session.permit.returnTurn();
      this.#given.delete(session.id);
      this.#dispatcher.over(session);
      worker.live--;
      this.#left(worker);
    });
  }

  #join(worker: Worker, session: StreamSession): Permit | Refusal {
    const answer = this.#dispatcher.join(session.id, session);
    return "phase" in answer ? this.#permit(answer, worker) : answer;
  }

  /** A worker of one session has done what it was for. */
  #left(worker: Worker): void {
    if (!this.#once || worker.live > 0 || worker.served === 0) return;
    this.#workers.splice(this.#workers.indexOf(worker), 1);
    this.#follow(worker.instance.end());
  }

  #follow(change: Promise<void>): void {
    const followed = change.finally(() => this.#changing.delete(followed));
    this.#changing.add(followed);
  }

  // The end.

  opened(): void {}
  own(): void {}
  measure(): void {}
  delay = (): number => 0;
  revive(): void {}

  settle(): void {
    this.#input.totals.settle();
  }

  get #instances(): ServiceInstance[] {
    return this.#workers.flatMap(({ instance }) => instance ?? []);
  }

  drains(on: boolean): void {
    this.#drains = on;
    for (const instance of this.#instances) instance.drains(on);
  }

  async cut(): Promise<void> {
    await Promise.all(this.#instances.map((instance) => instance.cut()));
  }

  hurry(): void {
    this.#hurried = true;
    for (const instance of this.#instances) instance.hurry();
  }

  async end(): Promise<void> {
    while (this.#changing.size > 0) await Promise.all(this.#changing);
    await Promise.all(this.#workers.splice(0).map(({ instance }) => instance.end()));
  }
}
