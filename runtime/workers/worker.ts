/** The worker's side: runs one service on what the supervisor sends, and tells what becomes of it. */
import type { Permit } from "../core/admission/permit.ts";
import type { DatagramSocket, StreamTable } from "../core/contract.ts";
import type { Descriptors, SocketFileId } from "../core/descriptors.ts";
import { isTcp } from "../core/endpoint.ts";
import { isShortage, PorticoError } from "../core/errors.ts";
import { Gather } from "../core/stream/gather.ts";
import { hookError } from "../core/hooks.ts";
import { errorFields, Log, type Outlet, type Wanted } from "../core/log.ts";
import type { LogRecord } from "../core/record.ts";
import type { Accepted } from "../core/stream/arrival.ts";
import { Totals } from "../core/totals.ts";
import { checkOptions } from "../modules/plugin-options.ts";
import { importSound } from "../modules/sound.ts";
import { asksCredentials, withCredentials } from "../services/credentials.ts";
import { AnsweringSocket } from "../services/answering-socket.ts";
import { ServiceInstance } from "../services/instance.ts";
import { Lag } from "../metrics/lag.ts";
import { CountReporter } from "./count-reporter.ts";
import { Channel } from "./channel.ts";
import { cutSome } from "./cuts.ts";
import { IncomingStreams } from "./incoming.ts";
import { RemotePermit } from "./remote-permit.ts";
import { Joining } from "./joining.ts";
import { Locals } from "./locals.ts";
import { answerOf } from "./traffic.ts";
import type { WorkerInput } from "./worker-input.ts";
import { WorkerTls } from "./worker-tls.ts";
import {
  type AddressParts,
  decodePlan,
  failureOf,
  partsOf,
  toAddress,
  type WorkerCommand,
  type WorkerEvent,
} from "./messages.ts";

type Job = Extract<WorkerCommand, { type: "job" }>;
type TakeCommand = Extract<WorkerCommand, { type: "take" }>;

export class ServiceWorker {
  readonly #input: WorkerInput;
  readonly #channel: Channel<WorkerEvent, WorkerCommand>;
  readonly #over = Promise.withResolvers<number>();
  readonly #senders: { readonly socket: DatagramSocket; readonly locals: Locals }[] = [];
  #files: readonly SocketFileId[] = [];
  /** Of a service that listens on more than TCP. */
  #descriptors: Descriptors | undefined = undefined;
  #log: Log | undefined = undefined;
  #instance: ServiceInstance | undefined = undefined;
  /** For connections that are made of descriptors: they were admitted. */
  #streams: StreamTable | undefined = undefined;
  /** Sessions that are here. */
  #live = 0;
  #reporter: CountReporter | undefined = undefined;
  /** The service drains. */
  #drains = false;
  /** When somebody wants to know how late the event loop is. */
  #measures = false;
  #lag: Lag | undefined = undefined;
  #stopping = false;
  #service = "";
  readonly #incoming: IncomingStreams<TakeCommand>;
  readonly #joining = new Joining(
    ({ id, remote, local }) => {
      this.#channel.send({ type: "join", id, remote: partsOf(remote), local: partsOf(local) });
    },
    (id) => this.#permit(id),
  );
  /** Streams that were taken in this turn. */
  #taken = 0;
  readonly #tls: WorkerTls = new WorkerTls((error) => this.report(error));

  constructor(input: WorkerInput) {
    this.#input = input;
    this.#incoming = new IncomingStreams(
      input.passing,
      input.descriptorChannel,
      (command, fd) => this.#take(command, fd),
      (error, fatal) => {
        this.report(error);
        // No session may be served under another one's name: this worker ends, and what it had not
        // taken is another one's.
        if (fatal) this.#over.resolve(1);
      },
    );
    this.#channel = new Channel<WorkerEvent, WorkerCommand>(
      (command) => this.#execute(command),
      () => this.#left(),
    );
  }

  /** Serves until the supervisor is done with it, or gone; resolves with the exit code. */
  async run(): Promise<number> {
    const { passing, channel } = this.#input;
    await this.#channel.open(passing, passing.duplicate(channel), channel);
    return await this.#over.promise;
  }

  /** What nobody caught. */
  report(thrown: unknown): void {
    const error = hookError(thrown);
    if (this.#instance !== undefined) return this.#instance.service.report(error);
    this.#log?.emit("error", "error", { service: this.#service, ...errorFields(error) });
  }

  /** Writes what has been said so far; the process ends. */
  flush(): void {
    this.#channel.finish();
  }

  #execute(command: WorkerCommand): void {
    switch (command.type) {
      case "job":
        return void this.#begin(command);
      case "certificates":
        return this.#tls.set(command.bytes);
      case "sockets":
        return this.#open(command.datagrams);
      case "files":
        return void (this.#files = command.files);
      case "take":
        return this.#incoming.add(command);
      case "datagrams":
        return this.#deliver(command);
      case "cut":
        return this.#instance === undefined ? undefined : cutSome(this.#instance, command);
      case "stop":
        return void this.#stop();
      case "ping":
        return this.#channel.send({ type: "pong", ...this.#reporter!.settle() });
      case "drains":
        this.#drains = command.on;
        return this.#instance?.drains(command.on);
      case "joined":
        return this.#joining.decided(command.id, command.why, command.options);
      case "measure":
        return this.#measure();
      case "idle":
      case "traffic":
        return this.#channel.send(answerOf(this.#instance!, command));
      case "wanted":
        return this.#log?.change(this.#outlets(command.wanted));
    }
  }

  async #begin({ bytes, module, wanted, ids, measure, drains, number }: Job): Promise<void> {
    try {
      const plan = decodePlan(bytes);
      const { adapter, become, cpuLimit } = this.#input;
      this.#service = plan.name;
      this.#drains = drains;
      const log = this.#log = new Log(this.#outlets(wanted), () => {});
      // Others may hand it who has come to a Unix socket of theirs.
      const handed = plan.reached === true && log.asksUser;
      if (handed || plan.listen.some(({ endpoint }) => !isTcp(endpoint.transport))) {
        this.#descriptors = await adapter.descriptors();
      }
      await become(plan);
      const plugin = await importSound(module) ??
        await (await import("../modules/plugin.ts")).loadPlugin(plan.plugin);
      const check = await checkOptions(plugin, plan.options);
      if (!("options" in check)) throw new PorticoError("PLUGIN_OPTIONS");
      // The start may keep the event loop.
      this.#channel.sendNow({ type: "loaded" });
      cpuLimit.set(plan.limits.start);
      const totals = new Totals();
      const reporter = this.#reporter = new CountReporter(
        totals,
        (report) => this.#channel.send(report),
      );
      this.#instance = await ServiceInstance.start({
        ready: { plan, plugin, options: check.options, log },
        // Those who come have their numbers already: these are of sessions that the plugin opens itself.
        host: { adapter, gather: new Gather(adapter), nextId: () => ++ids },
        totals,
        worker: number,
        tls: await this.#tls.make(plan, adapter),
        join: this.#joining.join,
        counted: () => reporter.soon(),
        confirmed: (id) => this.#channel.sendNow({ type: "confirmed", id }),
        offended: ({ id }, what) => this.#channel.sendNow({ type: "offence", id, what }),
      });
      const { streams } = this.#instance;
      this.#instance.drains(this.#drains);
      this.#streams = this.#instance.streamTable(
        (connection) => void streams.accept(connection, connection.data as Accepted),
      );
      cpuLimit.set(plan.limits.stall);
      if (measure || this.#measures) this.#measure();
      this.#channel.send({ type: "ready" });
    } catch (error) {
      this.#channel.send(failureOf(error));
      this.#channel.end();
    }
  }

  #outlets(wanted: Wanted | undefined): Outlet[] {
    const sink = { write: (record: LogRecord) => this.#record(record) };
    return wanted === undefined ? [] : [{ name: "supervisor", sink, ...wanted }];
  }

  /**
   * Records leave at once: what is logged before a crash is not lost. With `close` follows that the
   * instance is free: who reads the one shall find the other.
   */
  #record(record: LogRecord): void {
    this.#channel.send({ type: "record", record });
    if (record.event !== "close") this.#channel.flush();
  }

  #open(datagrams: readonly AddressParts[]): void {
    const { passing, descriptorChannel } = this.#input;
    for (const parts of datagrams) {
      const fd = passing.take(descriptorChannel, true);
      const { table } = this.#instance!.datagrams!;
      const address = toAddress(parts);
      const plain = this.#descriptors!.sender(fd, address, table);
      const { plan } = this.#instance!.service;
      const socket = plan.proxyProtocol === undefined ? plain : new AnsweringSocket(plain);
      this.#senders.push({ socket, locals: new Locals(address) });
    }
  }

  #take({ id, remote, local, options: ruleOptions, tls: place }: TakeCommand, fd: number): void {
    const { passing } = this.#input;
    const { handoffs, service } = this.#instance!;
    const permit = this.#permit(id);
    if (this.#taken++ === 0) queueMicrotask(() => this.#tellTaken());
    const plain = { remote: toAddress(remote), local: toAddress(local) };
    const asks = asksCredentials(plain.remote.transport, service);
    const calls = this.#descriptors;
    // A sink may ask for it later than the worker was begun.
    const origin = asks && calls !== undefined ? withCredentials(calls, fd, plain) : plain;
    if (handoffs !== undefined) {
      // Its hook runs at once: whatever it does, it is not to be served twice.
      this.#tellTaken();
      this.#channel.flush();
      return handoffs.accept(fd, origin, { id, permit, ruleOptions });
    }
    const tls = this.#tls.at(place);
    passing.adopt(fd, origin, this.#streams!, { id, permit, ruleOptions, tls }).catch((error) => {
      // It has gone on the way, and nobody has seen it; or there is no room for it here.
      if (isShortage(error)) service.report(hookError(error), id);
      permit.release();
    });
  }

  #tellTaken(): void {
    if (this.#taken > 0) this.#channel.send({ type: "taken", count: this.#taken });
    this.#taken = 0;
  }

  #deliver({ datagrams, bytes }: Extract<WorkerCommand, { type: "datagrams" }>): void {
    let at = 0;
    for (const { id, socket: index, from, to, size, options, known = false } of datagrams) {
      // Each has memory of its own: a plugin may transfer what it was given.
      const own = bytes.slice(at, at += size);
      const { socket, locals } = this.#senders[index]!;
      const permit = this.#permit(id);
      const remote = toAddress(from);
      const local = typeof to === "string" ? locals.find(to) : toAddress(to);
      const accepted = { id, permit, remote, local, ruleOptions: options, known };
      this.#instance!.datagrams!.accept(socket, own, accepted);
    }
  }

  /** One more session is here. What it gives back is the supervisor's to count. */
  #permit(id: number): Permit {
    this.#live++;
    this.#lag?.start();
    return new RemotePermit((type) => {
      if (type === "turned") return this.#channel.send({ type, id });
      this.#live--;
      this.#channel.send({ type, id, ...this.#reporter!.take() });
    });
  }

  // What is counted.

  /** From now on, while there are sessions: one that has nothing to do is not woken up. */
  #measure(): void {
    this.#measures = true;
    const statistics = this.#instance?.service.totals.statistics;
    // It is asked again when it has begun.
    if (statistics === undefined || this.#lag !== undefined) return;
    this.#lag = new Lag(statistics.delays, () => {
      statistics.changes++;
      this.#reporter!.flow();
      return this.#live > 0;
    });
    if (this.#live > 0) this.#lag.start();
  }

  async #stop(): Promise<void> {
    const instance = this.#instance;
    if (this.#stopping) return instance?.hurry();
    this.#stopping = true;
    this.#incoming.close();
    if (instance !== undefined) {
      await instance.cut();
      await Promise.all(this.#senders.map(({ socket }) => socket.close(true)));
      await instance.end();
      this.#lag?.close();
      this.#channel.send({ type: "stopped", ...this.#reporter!.take() });
    }
    this.#channel.end();
  }

  /** The channel is closed. Without having been asked to stop, that means that the supervisor is no more. */
  async #left(): Promise<void> {
    const stopping = this.#stopping;
    if (!stopping) {
      await Promise.all(this.#files.map((file) => this.#descriptors?.removeFile(file)));
    }
    this.#over.resolve(stopping ? 0 : 1);
  }
}
