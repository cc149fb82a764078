/** A service that serves nobody itself: what comes to its sockets is told apart, and handed to other services. */
import type {
  BindableEndpoint,
  DatagramSocket,
  Listener,
  SocketOptions,
  StreamTable,
} from "../core/contract.ts";
import type { AdmitTable, Descriptors, Origin } from "../core/descriptors.ts";
import { PorticoError } from "../core/errors.ts";
import { decidesByUser, type ListenPlan } from "../core/plan.ts";
import type { MatchPlan } from "../core/prologue/match-plan.ts";
import { Service } from "../core/service.ts";
import type { Executor, ExecutorInput, Host } from "../services/contract.ts";
import { askingCredentials } from "../services/credentials.ts";
import { giveBanners } from "../services/extras.ts";
import { checkKind } from "../services/kind.ts";
import { ProxyProtocol } from "../services/proxy-protocol.ts";
import { ProxyStreams } from "../services/proxy-streams.ts";
import { Dispatcher } from "../workers/dispatcher.ts";
import { Crossroads } from "./crossroads.ts";
import { HeldPeers } from "./held.ts";
import { UnreadPeers } from "./unread.ts";

/**
 * How long the kernel may keep a connection to itself that says nothing, in ms: then hardly anybody is waited for
 * here. It waits in whole seconds, and its next one after the first is the third.
 */
const DEFERRED = 1000;

/** @throws PorticoError NOT_SUPPORTED without descriptors. */
export async function startMatching(input: ExecutorInput): Promise<Executor> {
  const { ready: { plan, log }, host, totals } = input;
  const { gather, nextId, adapter, clock } = host;
  const { lends } = adapter.features;
  const descriptors = await adapter.descriptors();
  const offended = host.bans?.offendedBy(plan);
  const service = new Service({
    ...{ plan, hooks: {}, log, gather, lends, nextId, totals, offended, clock },
  });
  await giveBanners(service);
  return new MatchExecutor(input, plan.match!, service, descriptors, offended !== undefined);
}

/** Whether nobody else has said how long the kernel keeps somebody silent: see `deferring` of `services/balancers.ts`. */
function mayDefer(endpoint: BindableEndpoint, { deferAccept }: SocketOptions): boolean {
  if (endpoint.transport !== "tcp") return false;
  return "fd" in endpoint ? deferAccept === 0 : deferAccept === undefined;
}

class MatchExecutor implements Executor {
  readonly workers = [];
  readonly #input: ExecutorInput;
  readonly #plan: MatchPlan;
  readonly #descriptors: Descriptors;
  readonly #dispatcher: Dispatcher;
  readonly #crossroads: Crossroads;
  readonly #unread: UnreadPeers;
  readonly #service: Service;
  readonly #blames: boolean;
  readonly #proxyProtocol: ProxyProtocol | undefined;
  /** Those of listeners of the runtime. */
  readonly #proxied: ProxyStreams[] = [];

  constructor(
    input: ExecutorInput,
    plan: MatchPlan,
    service: Service,
    descriptors: Descriptors,
    blames: boolean,
  ) {
    const { ready, host, admission } = input;
    this.#input = input;
    this.#plan = plan;
    this.#service = service;
    this.#blames = blames;
    this.#descriptors = descriptors;
    this.#dispatcher = new Dispatcher(
      service,
      admission,
      descriptors,
      (session) => this.#unread.take(session),
    );
    const receiver: NonNullable<Host["receiver"]> = (...words) => host.receiver?.(...words);
    this.#crossroads = new Crossroads(plan, service, receiver, ready.matchers);
    this.#unread = new UnreadPeers(this.#crossroads, this.#dispatcher, descriptors);
    const { proxyProtocol } = ready.plan;
    if (proxyProtocol === undefined) return;
    this.#proxyProtocol = new ProxyProtocol(proxyProtocol, service, descriptors, host.clock);
  }

  listen(endpoint: BindableEndpoint, { options, text }: ListenPlan): Promise<Listener> {
    checkKind(this.#input.ready.plugin, "stream", text);
    const unix = endpoint.transport === "unix";
    if (this.#holds(unix)) {
      return this.#input.host.adapter.listen(endpoint, this.#held(unix), options);
    }
    const defers = this.#plan.wait >= 2 * DEFERRED && mayDefer(endpoint, options);
    const given: SocketOptions = defers ? { ...options, deferAccept: DEFERRED } : options;
    const table = this.#arrivals(endpoint.transport);
    return this.#descriptors.admit(endpoint, defers ? this.#deferred(table) : table, given);
  }

  /** Whether nobody whom it leads to needs descriptors: by the plan, and by what plugins turn out to do. */
  #holds(unix: boolean): boolean {
    const { holds, routes } = this.#plan;
    const { ready: { plan }, host: { receiver, adapter: { features } } } = this.#input;
    if (holds === undefined) return false;
    // Who somebody is on this machine is asked of a descriptor, which can be reset by everybody, too.
    if (unix && (!holds.unix || decidesByUser(plan))) return false;
    const resets = Object.values(plan.limits.overflow).includes("reset");
    if (resets && features.resets !== true) return false;
    const { unreads } = features;
    if (routes.some(({ tls }) => tls) && unreads?.includes("tls") !== true) return false;
    if (holds.http && unreads?.includes("http") !== true) return false;
    const manners = this.#crossroads.manners(unix);
    return routes.every(({ service }, at) =>
      receiver?.(service, manners[at]!)?.takes(manners[at]!) !== false
    );
  }

  /** What is told of peers whom the runtime accepts, and reads. */
  #held(unix: boolean): StreamTable {
    const { ready: { plan: { proxyProtocol } }, admission } = this.#input;
    const service = this.#service;
    const { holds, routes } = this.#plan;
    const upgrades = holds!.http || routes.some(({ tls }) => tls);
    const { table } = new HeldPeers(this.#crossroads, service, admission, this.#blames, unix);
    if (proxyProtocol === undefined) return { ...table, upgrades };
    const proxied = new ProxyStreams(proxyProtocol, service, table);
    this.#proxied.push(proxied);
    return { ...proxied.table, upgrades };
  }

  /** Who is accepted without a word has been silent for that long. */
  #deferred(table: AdmitTable): AdmitTable {
    return {
      arrive: (fd, origin) => {
        this.#unread.silence = DEFERRED;
        table.arrive(fd, origin);
        this.#unread.silence = 0;
      },
      failure: (error) => table.failure(error),
    };
  }

  adopt(fd: number, origin: Origin): Promise<void> {
    this.#arrivals(origin.local.transport).arrive(fd, origin);
    return Promise.resolve();
  }

  #arrivals(transport: string): AdmitTable {
    const streams = this.#dispatcher.streams(-1);
    const told = this.#proxyProtocol?.reading(streams) ?? streams;
    const asks = transport === "unix" && decidesByUser(this.#input.ready.plan);
    return asks ? askingCredentials(this.#descriptors, told) : told;
  }

  /** A manifest cannot ask for it. */
  bind(_endpoint: BindableEndpoint, { text }: ListenPlan): Promise<DatagramSocket> {
    return Promise.reject(new PorticoError("NOT_SUPPORTED", text));
  }

  serve(_endpoint: BindableEndpoint, { text }: ListenPlan): Promise<never> {
    return Promise.reject(new PorticoError("NOT_SUPPORTED", text));
  }

  opened(): void {}

  own(): void {}

  delay(): number {
    return 0;
  }

  settle(): void {}

  measure(): void {}

  traffic(): Promise<[]> {
    return Promise.resolve([]);
  }

  drains(): void {}

  cut(): Promise<void> {
    this.#close();
    return Promise.resolve();
  }

  revive(): void {}

  hurry(): void {}

  end(): Promise<void> {
    this.#close();
    return Promise.resolve();
  }

  #close(): void {
    this.#proxyProtocol?.close();
    for (const each of this.#proxied) each.close();
    this.#crossroads.close();
  }
}
