/** A service under test: in memory, without a port. */
import { MemoryAdapter } from "../adapters/memory/mod.ts";
import { OwnSockets } from "../runtime/core/admission/own-sockets.ts";
import { LAST_WORDS } from "../runtime/core/calls.ts";
import { Address, kindOf, parseEndpoint } from "../runtime/core/endpoint.ts";
import type { Plugin } from "../runtime/core/plugin.ts";
import type { LogRecord } from "../runtime/core/record.ts";
import { Gather } from "../runtime/core/stream/gather.ts";
import type { Host, ReadyService, StartExecutor } from "../runtime/services/contract.ts";
import { startInline } from "../runtime/services/inline.ts";
import { LoadMeter } from "../runtime/services/load.ts";
import { RunningService } from "../runtime/services/running.ts";
import type { ServiceStatus } from "../runtime/services/status.ts";
import { type Duration, milliseconds } from "../runtime/core/units.ts";
import { Activity, later } from "./activity.ts";
import { MovedClock, type TestClock } from "./clock.ts";
import type { ConnectSettings, Peer, RequestSettings, TestedService } from "./contract.ts";
import { DatagramPeer } from "./datagram-peer.ts";
import { wrong } from "./expectation.ts";
import { HttpPeer } from "./http-peer.ts";
import { direct, type Outbox, whole, type Wire } from "./outbox.ts";
import { SessionRecords } from "./records.ts";
import { patienceOf, readyOf, type Settings, type TestedTransport } from "./settings.ts";
import { StreamPeer } from "./stream-peer.ts";
import { startWorkers } from "./workers.ts";

/** The ports of peers that name none; those after them are the next ones'. */
const FIRST_PORT = 50_000;

const EXECUTORS: Readonly<Record<string, StartExecutor>> = {
  serial: startInline,
  async: startInline,
  threads: startWorkers(false),
  processes: startWorkers(false),
  spawn: startWorkers(true),
};

export class MemoryService implements TestedService {
  readonly #adapter: MemoryAdapter;
  readonly #activity: Activity;
  readonly #clock: MovedClock;
  readonly #records: SessionRecords = new SessionRecords();
  readonly #peers: StreamPeer[] = [];
  readonly clock: TestClock;
  #running!: RunningService;
  #ids = 0;
  #port = FIRST_PORT;
  #closing: Promise<void> | undefined = undefined;

  private constructor(settings: Settings) {
    this.#adapter = new MemoryAdapter();
    this.#activity = new Activity(patienceOf(settings));
    this.#clock = new MovedClock(this.#activity);
    this.clock = this.#clock.forTests;
  }

  /** As `open` of mod.ts. */
  static async open<Options, State>(
    plugin: Plugin<Options, State>,
    settings: Settings,
  ): Promise<MemoryService> {
    const service = new MemoryService(settings);
    const sink = { write: (record: LogRecord) => service.#record(record) };
    const ready = await readyOf(plugin, settings, sink, service.#adapter);
    await service.#start(ready);
    return service;
  }

  async #start(ready: ReadyService): Promise<void> {
    const adapter = this.#adapter;
    const host: Host = {
      clock: this.#clock,
      adapter,
      gather: new Gather(adapter),
      nextId: () => ++this.#ids,
      ownSockets: new OwnSockets((address) => adapter.ownsAddress(address)),
      load: new LoadMeter(this.#clock),
      worker: "",
      inherit: () => Promise.resolve([]),
    };
    const executor = EXECUTORS[ready.plan.concurrency.strategy]!;
    const starting = RunningService.start(ready, host, { sockets: new Map() }, executor);
    // Nobody moves the clock meanwhile: a start that does not come back is given up by real time.
    const { start } = ready.plan.limits;
    const giveUp = later(start, () => void this.clock.advance(start));
    try {
      this.#running = await starting;
    } finally {
      giveUp.cancel();
    }
  }

  #record(record: LogRecord): void {
    this.#records.all.push(record);
    this.#activity.note();
  }

  get records(): readonly LogRecord[] {
    return this.#records.all;
  }

  get status(): ServiceStatus {
    return this.#running.status();
  }

  connect(settings: ConnectSettings = {}): Peer {
    return this.connectThrough((wire) => direct(wire, whole), settings);
  }

  /** As {@link connect}, with something between the peer and its connection. */
  connectThrough(outbox: (wire: Wire) => Outbox, settings: ConnectSettings = {}): Peer {
    const { from, transport, to, allowHalfOpen = false } = settings;
    const at = to === undefined ? this.#endpoint(transport) : addressAt(to);
    const address = this.#addressOf(at.transport, from);
    const input = { address, activity: this.#activity, records: this.#records };
    const kind = kindOf(at.transport);
    if (kind === "datagram") return new DatagramPeer(input, this.#adapter.socket(at));
    if (kind === "http") return new HttpPeer(input, this.#adapter.server(at));
    const before = this.#ids;
    const connection = this.#adapter.peer(at, address);
    const session = this.#ids > before ? this.#ids : undefined;
    const peer = new StreamPeer({ ...input, session, halfOpen: allowHalfOpen, outbox }, connection);
    this.#peers.push(peer);
    return peer;
  }

  fetch(
    path: string,
    { from, ...init }: RequestSettings & { readonly from?: string } = {},
  ): Promise<Response> {
    const peer = this.connect({ transport: "http", ...(from !== undefined && { from }) });
    return peer.fetch(path, init);
  }

  #endpoint(transport: TestedTransport | undefined): Address {
    const { addresses } = this.#running;
    const found = addresses.find((address) =>
      transport === undefined || address.transport === transport
    );
    if (found !== undefined) return found;
    throw new Error(
      `the service does not listen on ${transport}, but on ${addresses.map(String).join(", ")}`,
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

  settle(): Promise<void> {
    return this.#activity.rest();
  }

  async stop(drain: Duration = 0): Promise<void> {
    const limit = milliseconds(drain, "drain of stop");
    // Who gives no time waits for no clock, which nobody moves meanwhile.
    if (limit === 0) await this.#end();
    else await this.#running.stop(limit);
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    await this.settle();
    for (const peer of this.#peers) peer.drop();
    await this.settle();
    for (const peer of this.#peers) if (!peer.isClosed) peer.reset();
    await this.settle();
    for (const address of this.#running.addresses) {
      if (address.transport === "http") this.#adapter.server(address).abort();
    }
    while (this.#running.admission.live > 0 && await this.#activity.next());
    const left = this.#left();
    const stopped = await this.#end();
    if (this.#activity.failed) return;
    if (left.length > 0) {
      throw wrong(["sessions are not over, though their peers have gone", ...left]);
    }
    if (!stopped) throw wrong([`the plugin's stop has not come back`]);
  }

  /** Whether the plugin's `stop` came back; what waits for the clock then need not wait. */
  async #end(): Promise<boolean> {
    let over = false;
    void this.#running.stop(0).then(() => over = true);
    for (let patient = true; !over;) {
      await this.settle();
      if (over) return patient;
      await this.clock.advance(LAST_WORDS);
      if (!patient || over || await this.#activity.within(() => over)) continue;
      patient = false;
      void this.#running.stop(0);
    }
    return true;
  }

  /** The sessions that have not ended. */
  #left(): string[] {
    const { live } = this.#running.admission;
    if (live === 0) return [];
    const over = new Set(this.records.filter(isLast).map(({ session }) => session));
    const open = this.records.filter(({ event, session }) =>
      event === "open" && !over.has(session)
    );
    const named = open.map(({ session, remote }) => `session ${session} of ${remote}`);
    return named.length > 0 ? named : [`${live} that were not served yet`];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function isLast({ event }: LogRecord): boolean {
  return event === "close" || event === "refuse";
}

function addressAt(to: Address | string): Address {
  if (to instanceof Address) return to;
  const endpoint = parseEndpoint(to);
  if ("name" in endpoint) throw new Error(`nobody can connect to ${to}`);
  const { transport } = endpoint;
  if ("path" in endpoint) return new Address(transport, "", 0, endpoint.path);
  return new Address(transport, endpoint.host, endpoint.port, "");
}
