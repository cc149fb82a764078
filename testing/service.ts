/** A service under test: in memory, without a port. */
import { MemoryAdapter } from "../adapters/memory/mod.ts";
import { OwnSockets } from "../runtime/core/admission/own-sockets.ts";
import { Address, kindOf } from "../runtime/core/endpoint.ts";
import type { Plugin } from "../runtime/core/plugin.ts";
import type { LogRecord } from "../runtime/core/record.ts";
import { Gather } from "../runtime/core/stream/gather.ts";
import type { Host, ReadyService, StartExecutor } from "../runtime/services/contract.ts";
import { startInline } from "../runtime/services/inline.ts";
import { RunningService } from "../runtime/services/running.ts";
import type { ServiceStatus } from "../runtime/services/status.ts";
import { Activity } from "./activity.ts";
import type { Peer } from "./contract.ts";
import { DatagramPeer } from "./datagram-peer.ts";
import { wrong } from "./expectation.ts";
import { direct, type Outbox, whole, type Wire } from "./outbox.ts";
import { SessionRecords } from "./records.ts";
import { patienceOf, readyOf, type Settings, type TestedTransport } from "./settings.ts";
import { StreamPeer } from "./stream-peer.ts";
import { startWorkers } from "./workers.ts";

/** How a peer comes to a service. */
export interface ConnectSettings {
  /** Its address, with or without a port: `"192.0.2.7"`, `"192.0.2.7:1234"`, `"[2001:db8::7]:1234"`. */
  readonly from?: string;
  /** Of the transports that the service has; the first of them when silent. */
  readonly transport?: TestedTransport;
  /** It goes on sending when it has read the end of the service's side. Most programs close then. */
  readonly allowHalfOpen?: boolean;
}

/** The ports of peers that name none; those after them are the next ones'. */
const FIRST_PORT = 50_000;

const EXECUTORS: Readonly<Record<string, StartExecutor>> = {
  serial: startInline,
  async: startInline,
  threads: startWorkers(false),
  processes: startWorkers(false),
  spawn: startWorkers(true),
};

/** A service that runs in memory. Made by {@link open}; `await using` closes it. */
export class TestedService implements AsyncDisposable {
  readonly #adapter: MemoryAdapter;
  readonly #activity: Activity;
  readonly #records: SessionRecords = new SessionRecords();
  readonly #peers: StreamPeer[] = [];
  #running!: RunningService;
  #ids = 0;
  #port = FIRST_PORT;
  #closing: Promise<void> | undefined = undefined;

  private constructor(settings: Settings) {
    this.#adapter = new MemoryAdapter();
    this.#activity = new Activity(patienceOf(settings));
  }

  /** See {@link open}. */
  static async open<Options, State>(
    plugin: Plugin<Options, State>,
    settings: Settings,
  ): Promise<TestedService> {
    const service = new TestedService(settings);
    const sink = { write: (record: LogRecord) => service.#record(record) };
    const ready = await readyOf(plugin, settings, sink, service.#adapter);
    await service.#start(ready);
    return service;
  }

  async #start(ready: ReadyService): Promise<void> {
    const adapter = this.#adapter;
    const host: Host = {
      adapter,
      gather: new Gather(adapter),
      nextId: () => ++this.#ids,
      ownSockets: new OwnSockets((address) => adapter.ownsAddress(address)),
      worker: "",
      inherit: () => Promise.resolve([]),
    };
    const executor = EXECUTORS[ready.plan.concurrency.strategy]!;
    this.#running = await RunningService.start(ready, host, { sockets: new Map() }, executor);
  }

  #record(record: LogRecord): void {
    this.#records.all.push(record);
    this.#activity.note();
  }

  /** All records so far, of every level. */
  get records(): readonly LogRecord[] {
    return this.#records.all;
  }

  /** What `portico ctl status` says of it: sessions, bytes, refusals, errors. */
  get status(): ServiceStatus {
    return this.#running.status();
  }

  /**
   * A peer: a connection, or a datagram socket. It comes from 127.0.0.1, when nothing else is said, from a
   * port of its own.
   *
   * @throws Error for a transport that the service does not listen on.
   */
  connect(settings: ConnectSettings = {}): Peer {
    return this.#connect(settings, (wire) => direct(wire, whole));
  }

  /** @internal A peer that sends in another way. */
  connectThrough(outbox: (wire: Wire) => Outbox): Peer {
    return this.#connect({}, outbox);
  }

  #connect(
    { from, transport, allowHalfOpen = false }: ConnectSettings,
    outbox: (wire: Wire) => Outbox,
  ): Peer {
    const at = this.#endpoint(transport);
    const address = this.#addressOf(at.transport, from);
    if (kindOf(at.transport) === "datagram") {
      const socket = this.#adapter.socket(at);
      return new DatagramPeer(socket, address, this.#activity, this.#records);
    }
    const before = this.#ids;
    const peer = this.#adapter.peer(at, address);
    const session = this.#ids > before ? this.#ids : undefined;
    const made = new StreamPeer(
      peer,
      address,
      session,
      this.#activity,
      this.#records,
      allowHalfOpen,
      outbox,
    );
    this.#peers.push(made);
    return made;
  }

  #endpoint(transport: TestedTransport | undefined): Address {
    const { addresses } = this.#running;
    const found = addresses.find((address) =>
      transport === undefined
        ? kindOf(address.transport) !== "http"
        : address.transport === transport
    );
    if (found !== undefined) return found;
    const all = addresses.map(String).join(", ");
    throw new Error(
      `the service has no ${
        transport ?? "stream or datagram"
      } endpoint to connect to: it listens on ${all}`,
    );
  }

  #addressOf(transport: Address["transport"], from: string | undefined): Address {
    const port = this.#port++;
    if (transport === "unix") return new Address(transport, "", 0, from ?? "");
    if (transport === "unixgram") return new Address(transport, "", 0, from ?? `@${port}`);
    const found = /^(?:\[(.*)\]|([^:]*)|(.*?))(?::(\d+))?$/.exec(from ?? "127.0.0.1")!;
    const host = found[1] ?? found[2] ?? found[3]!;
    return new Address(transport, host, Number(found[4] ?? port), "");
  }

  /** Waits until nothing happens any more by itself. What waits for a clock, or for something outside, is not seen. */
  settle(): Promise<void> {
    return this.#activity.rest();
  }

  /** Closes it. May be called twice. @throws AssertionError when a session does not end though its peer has. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    await this.settle();
    for (const peer of this.#peers) peer.drop();
    await this.settle();
    for (const peer of this.#peers) if (!peer.isClosed) peer.reset();
    await this.settle();
    while (this.#running.admission.live > 0 && await this.#activity.next());
    const left = this.#left();
    await this.#running.stop(0);
    if (left.length > 0) {
      throw wrong(["sessions are not over, though their peers have gone", ...left]);
    }
  }

  /** The sessions that have not ended. */
  #left(): string[] {
    const live = this.#running.admission.live;
    if (live === 0) return [];
    const over = new Set(
      this.#records.of(({ event }) => event === "close" || event === "refuse").map((record) =>
        record.session
      ),
    );
    const open = this.#records.of(({ event, session }) => event === "open" && !over.has(session));
    const named = open.map(({ session, remote }) => `session ${session} of ${remote}`);
    return named.length > 0 ? named : [`${live} that were not served yet`];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
