/** `threads`, `processes`, `spawn`: the sockets of a service are here, its sessions are served by workers. */
import { lstatSync } from "node:fs";
import { resolve } from "node:path";
import type {
  BindableEndpoint,
  DatagramSocket,
  DatagramTable,
  Listener,
} from "../core/contract.ts";
import type { AdmitTable, Descriptors, Origin, SocketFileId } from "../core/descriptors.ts";
import type { Address } from "../core/endpoint.ts";
import { sheds } from "../core/admission/overflow.ts";
import { PorticoError } from "../core/errors.ts";
import { decidesByUser, type ListenPlan } from "../core/plan.ts";
import { Service } from "../core/service.ts";
import type { Executor, ExecutorInput, StartExecutor } from "../services/contract.ts";
import { balancersOf, deferring } from "../services/balancers.ts";
import { askingCredentials } from "../services/credentials.ts";
import { giveBanners } from "../services/extras.ts";
import { checkKind } from "../services/kind.ts";
import type { ProxyProtocol } from "../services/proxy-protocol.ts";
import type { GroupUsage } from "../services/groups.ts";
import type { WorkerStatus } from "../services/status.ts";
import { placeOf, ServiceCertificates, tlsPlans } from "../services/tls-contexts.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { WorkerUse } from "./launch.ts";
import { leastDelay } from "./heartbeat.ts";
import { type CertificatesCommand, certificatesCommand } from "./messages.ts";
import { PoolShedder } from "./shedding.ts";
import { WorkerPool } from "./pool.ts";

/** Makes the start of an executor whose workers are used in this way. */
export function startPool(use: WorkerUse): StartExecutor {
  return async (input) => {
    const { ready, host, admission, totals, failed } = input;
    const { plan, log } = ready;
    const { gather, nextId, adapter } = host;
    const { lends } = adapter.features;
    const descriptors = await adapter.descriptors();
    const offended = host.bans?.offendedBy(plan);
    const service = new Service({ plan, hooks: {}, log, gather, lends, nextId, totals, offended });
    await giveBanners(service);
    const certificates = await ServiceCertificates.read(plan, host);
    const tell = certificates &&
      ((): CertificatesCommand => certificatesCommand(certificates.options));
    const pool = new WorkerPool({ ready, host, descriptors, use, failed, certificates: tell });
    const dispatcher = new Dispatcher(
      service,
      admission,
      descriptors,
      (session) => pool.dispatch(session),
    );
    const balancers = await balancersOf(service, descriptors, host.clock);
    const unwatch = log.watch(() => pool.want());
    try {
      await pool.start(dispatcher);
    } catch (error) {
      unwatch();
      throw error;
    }
    certificates?.onChange(() => {
      const command = tell!();
      for (const handle of pool.handles) handle.tell(command);
    });
    if (sheds(plan.limits.overflow)) admission.shedder = new PoolShedder(pool.handles);
    const unwatchAll = (): void => {
      unwatch();
      certificates?.close();
    };
    return new PoolExecutor(input, descriptors, pool, dispatcher, balancers, unwatchAll);
  };
}

class PoolExecutor implements Executor {
  readonly #input: ExecutorInput;
  readonly #descriptors: Descriptors;
  readonly #pool: WorkerPool;
  readonly #dispatcher: Dispatcher;
  readonly #unwatch: () => void;
  readonly #proxyProtocol: ProxyProtocol | undefined;
  /** Duplicates of the datagram sockets, for workers to answer from; by the index that sockets carry. */
  readonly #datagrams: { readonly fd: number; readonly address: Address }[] = [];

  constructor(
    input: ExecutorInput,
    descriptors: Descriptors,
    pool: WorkerPool,
    dispatcher: Dispatcher,
    proxyProtocol: ProxyProtocol | undefined,
    unwatch: () => void,
  ) {
    this.#unwatch = unwatch;
    this.#input = input;
    this.#descriptors = descriptors;
    this.#pool = pool;
    this.#dispatcher = dispatcher;
    this.#proxyProtocol = proxyProtocol;
  }

  get workers(): readonly WorkerStatus[] {
    return this.#pool.status();
  }

  get group(): GroupUsage | undefined {
    return this.#pool.group?.usage;
  }

  listen(endpoint: BindableEndpoint, listen: ListenPlan): Promise<Listener> {
    const { options, text } = listen;
    checkKind(this.#input.ready.plugin, "stream", text);
    const { proxyProtocol } = this.#input.ready.plan;
    return this.#descriptors.admit(
      endpoint,
      this.#arrivals(endpoint.transport, listen),
      deferring(proxyProtocol, endpoint, options),
    );
  }

  async bind(endpoint: BindableEndpoint, { options, text }: ListenPlan): Promise<DatagramSocket> {
    const { ready, host } = this.#input;
    checkKind(ready.plugin, "datagram", text);
    const socket = await host.adapter.bind(endpoint, await this.#senders(), options);
    const { address } = socket;
    // One that is opened again, after a suspension, is the same for the workers.
    const index = this.#datagrams.findIndex((known) => String(known.address) === String(address));
    socket.data = index >= 0 ? index : this.#datagrams.length;
    if (index < 0) this.#datagrams.push({ fd: await socket.duplicate(), address });
    return socket;
  }

  /** Where datagrams arrive; workers answer the way that they came: `worker.ts`. */
  async #senders(): Promise<DatagramTable> {
    const { datagrams, service } = this.#dispatcher;
    const { proxyProtocol } = this.#input.ready.plan;
    if (proxyProtocol === undefined) return datagrams;
    const { ProxyDatagrams } = await import("../services/proxy-datagrams.ts");
    return new ProxyDatagrams(proxyProtocol, service, datagrams);
  }

  /** Strategies with workers have refused it before: {@link Strategy.check}. */
  serve(_endpoint: BindableEndpoint, { text }: ListenPlan): Promise<never> {
    return Promise.reject(new PorticoError("NOT_SUPPORTED", text));
  }

  adopt(fd: number, origin: Origin, listen: Pick<ListenPlan, "tls">): Promise<void> {
    this.#arrivals(origin.local.transport, listen).arrive(fd, origin);
    return Promise.resolve();
  }

  /** Where streams arrive; who they are is asked here for a rule, and by their worker for a sink. */
  #arrivals(transport: string, { tls }: Pick<ListenPlan, "tls">): AdmitTable {
    const { plan } = this.#input.ready;
    const streams = this.#dispatcher.streams(tls === undefined ? -1 : placeOf(tls, tlsPlans(plan)));
    const told = this.#proxyProtocol?.reading(streams) ?? streams;
    const asks = transport === "unix" && decidesByUser(plan);
    return asks ? askingCredentials(this.#descriptors, told) : told;
  }

  opened(): void {
    this.#pool.open(this.#datagrams);
  }

  own(addresses: readonly Address[]): void {
    this.#pool.own(addresses.flatMap(fileOf));
  }

  delay(): number {
    return leastDelay(this.#pool.handles);
  }

  /** Workers tell by themselves. */
  settle(): void {}

  measure(): void {
    this.#pool.measure();
  }

  traffic(): ReturnType<Executor["traffic"]> {
    return this.#pool.traffic();
  }

  drains(on: boolean): void {
    this.#pool.drains(on);
  }

  cut(): Promise<void> {
    this.#proxyProtocol?.close();
    return this.#pool.cut();
  }

  revive(): void {
    this.#pool.revive();
  }

  hurry(): void {
    this.#pool.hurry();
  }

  async end(): Promise<void> {
    this.#proxyProtocol?.close();
    this.#unwatch();
    await this.#pool.stop();
    for (const { fd } of this.#datagrams.splice(0)) this.#descriptors.close(fd);
  }
}

/** A socket file as it is now: whoever removes it later must not remove another one of its name. */
function fileOf({ transport, path }: Address): SocketFileId[] {
  if (path === "" || path.startsWith("@")) return [];
  const absolute = resolve(path);
  const stat = lstatSync(absolute, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  return [{ path: absolute, dev: stat.dev, ino: stat.ino, open: transport === "unixgram" }];
}
