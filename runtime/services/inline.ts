/** `serial` and `async`: the sessions of a service are served in this thread, where its sockets are. */
import type { BindableEndpoint, DatagramSocket, Listener, StreamTable } from "../core/contract.ts";
import type { Descriptors, Origin } from "../core/descriptors.ts";
import type { HttpListener } from "../core/exchange.ts";
import { HttpPipeline } from "../core/http/pipeline.ts";
import type { ListenPlan } from "../core/plan.ts";
import type { Executor, ExecutorInput } from "./contract.ts";
import {
  askingCredentials,
  asksCredentials,
  checkCredentials,
  connecting,
  withCredentials,
} from "./credentials.ts";
import { ServiceInstance } from "./instance.ts";
import { checkForm, checkKind } from "./kind.ts";
import { answering } from "./answering-socket.ts";
import { deferring, ProxyProtocol } from "./proxy-protocol.ts";

/** Starts the plugin here. @throws PorticoError, with nothing left behind. */
export async function startInline(input: ExecutorInput): Promise<Executor> {
  const { ready, host, admission } = input;
  const instance = await ServiceInstance.start({
    ...input,
    join: (session) => admission.join(session),
    offended: host.bans?.offendedBy(ready.plan),
  });
  admission.shedder = instance.shedder;
  return new InlineExecutor(input, instance);
}

class InlineExecutor implements Executor {
  readonly workers = [];
  readonly #input: ExecutorInput;
  readonly #instance: ServiceInstance;
  readonly #requests: HttpPipeline;
  #proxyProtocol: ProxyProtocol | undefined = undefined;
  /** Those of its listeners. */
  readonly #proxied: { close(): void }[] = [];

  constructor(input: ExecutorInput, instance: ServiceInstance) {
    this.#input = input;
    this.#instance = instance;
    this.#requests = new HttpPipeline(
      instance.service,
      input.admission,
      instance.metering?.http,
    );
  }

  async listen(
    endpoint: BindableEndpoint,
    { options, text, tls }: ListenPlan,
  ): Promise<Listener> {
    const { ready, host } = this.#input;
    checkKind(ready.plugin, "stream", text);
    checkForm(ready.plugin.name, this.#instance.service.hooks, "stream", text);
    const { handoffs } = this.#instance;
    const { adapter } = host;
    const streams = this.#instance.streamTable();
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
    const told = this.#balanced(descriptors)?.reading(table) ?? table;
    return await descriptors.admit(
      endpoint,
      asks ? askingCredentials(descriptors, told) : told,
      deferring(proxyProtocol, endpoint, options),
    );
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
  #balanced(descriptors: Descriptors): ProxyProtocol | undefined {
    const { ready: { plan: { proxyProtocol } }, host } = this.#input;
    if (proxyProtocol === undefined) return undefined;
    const { service } = this.#instance;
    return this.#proxyProtocol ??= new ProxyProtocol(
      proxyProtocol,
      service,
      descriptors,
      host.clock,
    );
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

  async serve(endpoint: BindableEndpoint, { options, text }: ListenPlan): Promise<HttpListener> {
    const { ready, host } = this.#input;
    checkKind(ready.plugin, "http", text);
    checkForm(ready.plugin.name, this.#instance.service.hooks, "http", text);
    return await host.adapter.serve(endpoint, this.#requests.table, options);
  }

  async adopt(fd: number, origin: Origin): Promise<void> {
    const { ready, host } = this.#input;
    checkKind(ready.plugin, "stream", String(origin.local));
    const { handoffs } = this.#instance;
    const descriptors = await host.adapter.descriptors();
    const known = asksCredentials(origin.local.transport, ready)
      ? withCredentials(descriptors, fd, origin)
      : origin;
    const streams = this.#instance.streamTable();
    const balanced = this.#balanced(descriptors);
    if (handoffs === undefined && balanced === undefined) {
      return await descriptors.adopt(fd, known, streams, undefined);
    }
    const table = handoffs?.table ?? connecting(descriptors, streams);
    (balanced?.reading(table) ?? table).arrive(fd, known);
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
    if (on) this.#requests.endEvents();
    this.#instance.drains(on);
  }

  async cut(): Promise<void> {
    this.#refuseUntold();
    await Promise.all([this.#instance.cut(), this.#requests.cut("drain")]);
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

  end(): Promise<void> {
    this.#refuseUntold();
    return this.#instance.end();
  }
}
