/** `serial` and `async`: the sessions of a service are served in this thread, where its sockets are. */
import type { BindableEndpoint, DatagramSocket, Listener, StreamTable } from "../core/contract.ts";
import type { Descriptors, Origin } from "../core/descriptors.ts";
import type { HttpListener, HttpTable } from "../core/exchange.ts";
import { hookError } from "../core/hooks.ts";
import type { HttpPipeline } from "../core/http/pipeline.ts";
import type { ListenPlan } from "../core/plan.ts";
import type { Executor, ExecutorInput, Manner } from "./contract.ts";
import {
  askingCredentials,
  asksCredentials,
  checkCredentials,
  connecting,
  withCredentials,
} from "./credentials.ts";
import type { HeldConnection } from "./held-connection.ts";
import { ServiceInstance } from "./instance.ts";
import type { HandedRequests } from "./handed-requests.ts";
import { checkForm, checkKind } from "./kind.ts";
import { answering } from "./answering-socket.ts";
import { balancersOf, deferring } from "./balancers.ts";
import type { ProxyProtocol } from "./proxy-protocol.ts";
import { ServiceCertificates, TlsContexts } from "./tls-contexts.ts";

/** Starts the plugin here. @throws PorticoError, with nothing left behind. */
export async function startInline(input: ExecutorInput): Promise<Executor> {
  const { ready, host, admission } = input;
  const files = await ServiceCertificates.read(ready.plan, host);
  const tls = files && await TlsContexts.make(ready.plan, host.adapter, files.options);
  const instance = await ServiceInstance.start({
    ...input,
    join: (session) => admission.join(session),
    offended: host.bans?.offendedBy(ready.plan),
    tls,
  });
  files?.onChange(() => {
    try {
      tls!.update(files.options);
    } catch (error) {
      instance.service.report(hookError(error));
    }
  });
  admission.shedder = instance.shedder;
  return new InlineExecutor(input, instance, tls, files);
}

class InlineExecutor implements Executor {
  readonly workers = [];
  readonly #input: ExecutorInput;
  readonly #instance: ServiceInstance;
  /** Undefined where nobody has asked for HTTP. */
  #requests: HttpPipeline | undefined = undefined;
  readonly #tls: TlsContexts | undefined;
  readonly #files: ServiceCertificates | undefined;
  #proxyProtocol: ProxyProtocol | undefined = undefined;
  #balancers: Promise<ProxyProtocol | undefined> | undefined = undefined;
  #handed: HandedRequests | undefined = undefined;
  /** What is told of connections that others hold. */
  #held: StreamTable | undefined = undefined;
  #heldSecure: StreamTable | undefined = undefined;
  /** What others hand to it is streams; else it is HTTP. */
  readonly #streaming: boolean;
  /** Those of its listeners. */
  readonly #proxied: { close(): void }[] = [];

  constructor(
    input: ExecutorInput,
    instance: ServiceInstance,
    tls: TlsContexts | undefined,
    files: ServiceCertificates | undefined,
  ) {
    this.#input = input;
    this.#streaming = input.ready.plugin.transports.includes("stream");
    this.#instance = instance;
    this.#tls = tls;
    this.#files = files;
  }

  async listen(endpoint: BindableEndpoint, listen: ListenPlan): Promise<Listener> {
    const { ready, host } = this.#input;
    const { options, text, tls } = listen;
    checkKind(ready.plugin, "stream", text);
    checkForm(ready.plugin.name, this.#instance.service.hooks, "stream", text);
    const { handoffs } = this.#instance;
    const { adapter } = host;
    const streams = this.#streams(listen);
    const can = adapter.features.descriptors === true;
    checkCredentials(endpoint.transport, ready.plan, can);
    const asks = can && asksCredentials(endpoint.transport, ready);
    const { proxyProtocol } = ready.plan;
    if (handoffs === undefined && !asks) {
      if (proxyProtocol === undefined) return await adapter.listen(endpoint, streams, options);
      // What follows the header may be a handshake, which has to be left unread.
      if (tls === undefined) {
        const told = await this.#headers(streams);
        return await adapter.listen(endpoint, told, options);
      }
    }
    const descriptors = await adapter.descriptors();
    const table = handoffs?.table ?? connecting(descriptors, streams);
    const told = (await this.#balanced(descriptors))?.reading(table) ?? table;
    return await descriptors.admit(
      endpoint,
      asks ? askingCredentials(descriptors, told) : told,
      deferring(proxyProtocol, endpoint, options),
    );
  }

  /** What is told of streams that come to an endpoint. */
  #streams(listen: Pick<ListenPlan, "tls">): StreamTable {
    return this.#instance.streamTable(undefined, this.#tls?.of(listen));
  }

  /** Reads the headers of what the runtime accepts. */
  async #headers(streams: StreamTable): Promise<StreamTable> {
    const { ProxyStreams } = await import("./proxy-streams.ts");
    const { plan: { proxyProtocol } } = this.#input.ready;
    const headers = new ProxyStreams(proxyProtocol!, this.#instance.service, streams);
    this.#proxied.push(headers);
    return headers.table;
  }

  /** Undefined where no balancer tells of anybody. */
  async #balanced(descriptors: Descriptors): Promise<ProxyProtocol | undefined> {
    const { service } = this.#instance;
    this.#balancers ??= balancersOf(service, descriptors, this.#input.host.clock);
    return this.#proxyProtocol = await this.#balancers;
  }

  async bind(endpoint: BindableEndpoint, { options, text }: ListenPlan): Promise<DatagramSocket> {
    const { ready, host } = this.#input;
    checkKind(ready.plugin, "datagram", text);
    checkForm(ready.plugin.name, this.#instance.service.hooks, "datagram", text);
    const { table } = this.#instance.datagrams!;
    const { plan: { proxyProtocol } } = ready;
    if (proxyProtocol === undefined) return await host.adapter.bind(endpoint, table, options);
    const { ProxyDatagrams } = await import("./proxy-datagrams.ts");
    const told = new ProxyDatagrams(proxyProtocol, this.#instance.service, answering(table));
    return await host.adapter.bind(endpoint, told, options);
  }

  async serve(endpoint: BindableEndpoint, listen: ListenPlan): Promise<HttpListener> {
    const { ready, host: { adapter } } = this.#input;
    const { options, text } = listen;
    const { service } = this.#instance;
    checkKind(ready.plugin, "http", text);
    checkForm(ready.plugin.name, service.hooks, "http", text);
    const tls = this.#tls?.of(listen);
    const { proxyProtocol } = ready.plan;
    const requests = await this.#requestTable();
    if (tls === undefined && proxyProtocol === undefined) {
      return await adapter.serve(endpoint, requests, options);
    }
    const { admitRequests, withHandshakes } = await import("./requests.ts");
    const table = tls === undefined ? requests : await withHandshakes(requests, service);
    if (proxyProtocol === undefined) return await adapter.serve(endpoint, table, options, tls);
    const descriptors = await adapter.descriptors();
    const balanced = await this.#balanced(descriptors);
    return await admitRequests(
      descriptors,
      endpoint,
      deferring(proxyProtocol, endpoint, options),
      table,
      (local) => adapter.requests(local, table, tls),
      (table) => balanced!.reading(table),
    );
  }

  async adopt(fd: number, origin: Origin, listen: Pick<ListenPlan, "tls">): Promise<void> {
    const { ready, host } = this.#input;
    if (ready.plan.reached && !this.#streaming) {
      return await (await this.#requestsHanded()).adopt(fd, origin, this.#tls?.of(listen));
    }
    checkKind(ready.plugin, "stream", String(origin.local));
    const { handoffs } = this.#instance;
    const descriptors = await host.adapter.descriptors();
    const known = asksCredentials(origin.local.transport, ready)
      ? withCredentials(descriptors, fd, origin)
      : origin;
    const streams = this.#streams(listen);
    const balanced = await this.#balanced(descriptors);
    if (handoffs === undefined && balanced === undefined) {
      return await descriptors.adopt(fd, known, streams, undefined);
    }
    const table = handoffs?.table ?? connecting(descriptors, streams);
    (balanced?.reading(table) ?? table).arrive(fd, known);
  }

  takes({ tls, unix }: Manner): boolean {
    const { ready, host: { adapter: { features } } } = this.#input;
    if (this.#instance.handoffs !== undefined) return false;
    if (unix && asksCredentials("unix", ready)) return false;
    const { unreads } = features;
    if (tls && unreads?.includes("tls") !== true) return false;
    return this.#streaming || unreads?.includes("http") === true;
  }

  take(held: HeldConnection): void | Promise<void> {
    if (!this.#streaming) return this.#takeRequests(held);
    if (held.manner.tls) held.open(this.#heldSecure ??= this.#streams(this.#input.ready.plan));
    else held.open(this.#held ??= this.#streams({}));
  }

  #takeRequests(held: HeldConnection): void | Promise<void> {
    const tls = held.manner.tls ? this.#tls!.of(this.#input.ready.plan) : undefined;
    if (this.#handed !== undefined) return this.#handed.take(held, tls);
    held.give();
    return this.#requestsHanded().then((handed) => handed.take(held, tls));
  }

  async #requestTable(): Promise<HttpTable> {
    const { HttpPipeline } = await import("../core/http/pipeline.ts");
    const { service, metering } = this.#instance;
    this.#requests ??= new HttpPipeline(service, this.#input.admission, metering?.http);
    return this.#requests.table;
  }

  async #requestsHanded(): Promise<HandedRequests> {
    const { HandedRequests } = await import("./handed-requests.ts");
    const { adapter } = this.#input.host;
    const table = await this.#requestTable();
    return this.#handed ??= new HandedRequests(adapter, table, this.#instance.service);
  }

  opened(): void {}

  /** Whoever has opened a socket removes its file. */
  own(): void {}

  delay(): number {
    return 0;
  }

  settle(): void {
    this.#input.totals.settle();
  }

  /** The supervisor's event loop is its own. */
  measure(): void {}

  /** Sessions know it themselves. */
  traffic(): Promise<[]> {
    return Promise.resolve([]);
  }

  drains(on: boolean): void {
    if (on) {
      this.#requests?.endEvents();
      void this.#handed?.close(true);
    }
    this.#instance.drains(on);
  }

  async cut(): Promise<void> {
    this.#refuseUntold();
    await Promise.all([this.#instance.cut(), this.#requests?.cut("drain")]);
    await this.#handed?.close(false);
  }

  /** Of whom nobody has said yet whom they come for. */
  #refuseUntold(): void {
    this.#proxyProtocol?.close();
    for (const each of this.#proxied.splice(0)) each.close();
  }

  /** It does not fail: what a plugin throws ends its session only. */
  revive(): void {}

  hurry(): void {
    this.#instance.hurry();
  }

  async end(): Promise<void> {
    this.#files?.close();
    this.#refuseUntold();
    await this.#handed?.abort();
    await this.#instance.end();
    this.#requests?.end();
  }
}
