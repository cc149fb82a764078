/**
 * One instance of a service, in this thread: the plugin started once, and the ways that its sessions
 * take. Where the sockets are, here or in another process, is not its affair.
 */
import { lendBy } from "../core/stream/lending.ts";
import type { SessionAdapter } from "../core/descriptors.ts";
import type { Admission } from "../core/admission/admission.ts";
import type { Offended } from "../core/admission/gate.ts";
import { LAST_WORDS } from "../core/calls.ts";
import type { Guard } from "../core/datagram/guard.ts";
import type { DatagramPipeline } from "../core/datagram/pipeline.ts";
import type { HandoffPipeline } from "../core/handoff/pipeline.ts";
import { hookError, makeLogger, startPlugin } from "../core/hooks.ts";
import type { Join } from "../core/listening.ts";
import { mistakenHooks } from "../core/hook-table.ts";
import type { Hooks, Logger } from "../core/plugin.ts";
import { Service } from "../core/service.ts";
import type { StreamTable } from "../core/contract.ts";
import { type Clock, SYSTEM_CLOCK, type Timer } from "../core/clock.ts";
import type { Metering } from "../core/metering/mod.ts";
import { StreamPipeline } from "../core/stream/pipeline.ts";
import type { StreamShedder } from "../core/stream/shedding.ts";
import type { Totals } from "../core/totals.ts";
import { type Endpoint, kindOf } from "../core/endpoint.ts";
import { PorticoError } from "../core/errors.ts";
import type { ListenPlan, ServicePlan } from "../core/plan.ts";
import type { Host, ReadyService } from "./contract.ts";
import { checkForms } from "./kind.ts";
import {
  certificateRulesOf,
  checkCertificateRules,
  giveBanners,
  handshakesOf,
  shedderOf,
} from "./extras.ts";
import { OwnSessions } from "./own-sessions.ts";
import type { TlsContexts } from "./tls-contexts.ts";
import { scopeOf } from "../core/scope.ts";
import type { TlsServerContext } from "../core/tls.ts";

/** What an instance is made of. */
export interface InstanceInput {
  readonly ready: ReadyService;
  readonly host:
    & Pick<Host, "gather" | "nextId">
    & { readonly adapter: SessionAdapter }
    & Partial<Pick<Host, "operator" | "clock">>;
  readonly totals: Totals;
  /** Where the sockets are here. In a worker there is none: who comes was admitted. */
  readonly admission?: Admission;
  /** How who comes to a listener of the plugin's own gets its place. */
  readonly join: Join;
  /** See {@link StartContext.worker}. */
  readonly worker?: number;
  /** See {@link ServiceInput.counted}. */
  readonly counted?: () => void;
  /** See {@link ServiceInput.offended}. */
  readonly offended?: Offended | undefined;
  /** Of a service that speaks TLS. */
  readonly tls?: TlsContexts | undefined;
  /** Is told of the session of each that has shown that it is there, where the sockets are not here. */
  readonly confirmed?: (id: number) => void;
}

/** Functions that nobody calls, with names that promise it. */
function warnOf(hooks: Hooks<unknown>, log: Logger): void {
  for (const { name, meant } of mistakenHooks(hooks)) {
    log.warn(`start has returned \`${name}\`, which is no hook: did you mean \`${meant}\`?`);
  }
}

/** The ways of sessions beside that of streams which are read here. */
interface OtherWays {
  readonly datagrams?: DatagramPipeline;
  readonly handoffs?: HandoffPipeline;
}

async function otherWays(
  service: Service,
  { ready, host, admission, confirmed }: InstanceInput,
): Promise<OtherWays> {
  const ways: { -readonly [Name in keyof OtherWays]: OtherWays[Name] } = {};
  if (ready.plan.listen.some(mayBeDatagrams)) {
    const { DatagramPipeline } = await import("../core/datagram/pipeline.ts");
    ways.datagrams = new DatagramPipeline(service, admission, await guardOf(service, confirmed));
  }
  if (service.hooks.take !== undefined) {
    checkTaken(ready.plan);
    const { HandoffPipeline } = await import("../core/handoff/pipeline.ts");
    ways.handoffs = new HandoffPipeline(service, await host.adapter.descriptors(), admission);
  }
  return ways;
}

/** What limits answers to datagrams, where a service has that. */
async function guardOf(service: Service, told?: (id: number) => void): Promise<Guard | undefined> {
  const { amplification, bytes } = service.plan.limits;
  if (amplification === undefined && bytes?.out === undefined) return undefined;
  const { Guard } = await import("../core/datagram/guard.ts");
  return new Guard(service, told);
}

/** @throws PorticoError NOT_SUPPORTED: nobody sees what goes through a socket that a plugin takes. */
function checkTaken({ limits, listen }: ServicePlan): void {
  const secure = listen.find(({ tls }) => tls !== undefined);
  if (secure !== undefined) {
    const text =
      `${secure.text}: TLS cannot be spoken: the plugin takes the sockets itself (hook take)`;
    throw new PorticoError("NOT_SUPPORTED", text);
  }
  if (!listen.some(({ endpoint }) => mayBe(endpoint.transport, "stream"))) return;
  for (const key of ["bytes", "bytesPerSecond"] as const) {
    if (limits[key] === undefined) continue;
    const text = `limits.${key} cannot be kept: the plugin takes the sockets itself (hook take)`;
    throw new PorticoError("NOT_SUPPORTED", text);
  }
}

/** Of an inherited socket nobody knows before it is there. */
function mayBeDatagrams({ endpoint: { transport } }: ListenPlan): boolean {
  return mayBe(transport, "datagram");
}

function mayBe(transport: Endpoint["transport"], kind: "stream" | "datagram"): boolean {
  const inherited = transport === "fd" || transport === "systemd" || transport === "stdio";
  return inherited || kindOf(transport) === kind;
}

/** What keeps limits of bytes, where a service has any. */
async function meteringOf({ limits }: ServicePlan, clock: Clock): Promise<Metering | undefined> {
  if (limits.bytesPerSecond === undefined && limits.bytes === undefined) return undefined;
  const { Metering } = await import("../core/metering/mod.ts");
  return new Metering(limits, clock);
}

export class ServiceInstance {
  readonly service: Service;
  readonly streams: StreamPipeline;
  /** Undefined where the service has none. */
  readonly datagrams: DatagramPipeline | undefined;
  /** The way of streams whose plugin takes the descriptor itself. */
  readonly handoffs: HandoffPipeline | undefined;
  /** Ends streams for newcomers. */
  shedder: StreamShedder | undefined = undefined;
  readonly #own: OwnSessions;
  readonly #ending: AbortController;
  readonly #hurried = Promise.withResolvers<void>();

  /** Of a service that has limits of bytes. */
  readonly metering: Metering | undefined;

  private constructor(
    service: Service,
    own: OwnSessions,
    ending: AbortController,
    { handoffs, datagrams }: OtherWays,
    admission: Admission | undefined,
    metering: Metering | undefined,
  ) {
    this.metering = metering;
    this.service = service;
    this.#own = own;
    this.#ending = ending;
    this.streams = new StreamPipeline(service, admission);
    this.datagrams = datagrams;
    this.handoffs = handoffs;
  }

  /** Starts the plugin. @throws PorticoError START_FAILED, START_TIMEOUT, PLUGIN_INVALID. */
  static async start(input: InstanceInput): Promise<ServiceInstance> {
    const { ready, host, totals, admission, counted, join } = input;
    const { plan, plugin, options, log } = ready;
    const { adapter, gather, nextId, clock } = host;
    const { keepsDatagrams, keepsChunks } = plugin;
    const ending = new AbortController();
    const { lends } = adapter.features;
    if (keepsChunks === false && lends !== "never") {
      lendBy(await import("../core/stream/loans.ts"));
    }
    const shared = { plan, log, gather, lends, nextId, keepsDatagrams, keepsChunks, clock };
    const { offended, tls } = input;
    const handshakes = await handshakesOf(plan, tls, clock);
    const metering = await meteringOf(plan, clock ?? SYSTEM_CLOCK);
    const certificates = await certificateRulesOf(plan, clock ?? SYSTEM_CLOCK);
    const incoming = { ...shared, totals, counted, offended, handshakes, certificates };
    const own = new OwnSessions({ ...incoming, join, metering }, adapter);
    const scope = scopeOf(plan.concurrency.strategy);
    const context = {
      options,
      service: plan.name,
      folder: plan.folder,
      log: makeLogger(log, plan.name),
      signal: ending.signal,
      scope,
      worker: input.worker,
      get connect() {
        return own.connect;
      },
      get listen() {
        return own.listen;
      },
      ...(host.operator !== undefined && plan.admin && { server: host.operator }),
    };
    let hooks: Hooks<unknown>;
    try {
      hooks = await startPlugin(
        plugin.name,
        () => plugin.start(context),
        plan.limits.start,
        clock,
      );
      checkForms(plugin, hooks, plan);
      await own.ready();
      // Once, however many of them there are.
      if (scope !== "session" && (input.worker ?? 1) === 1) warnOf(hooks, context.log);
    } catch (error) {
      await Promise.all([own.drain(0), own.close()]);
      throw error;
    }
    const service = new Service({ ...incoming, hooks });
    const make = (ways: OtherWays): ServiceInstance =>
      new ServiceInstance(service, own, ending, ways, admission, metering);
    try {
      await giveBanners(service);
      checkCertificateRules(service);
      const made = make(await otherWays(service, input));
      made.shedder = await shedderOf(made);
      return made;
    } catch (error) {
      await make({}).end();
      throw error;
    }
  }

  /**
   * What an adapter calls with the streams of this service; with an `open` of its own where they come admitted.
   *
   * @param tls that of their endpoint.
   */
  streamTable(open?: StreamTable["open"], tls?: TlsServerContext): StreamTable {
    const table = tls === undefined ? this.streams.table : this.streams.securing(tls);
    const own = open === undefined ? table : { ...table, open };
    return this.metering?.table(own) ?? own;
  }

  /** Ends the sessions that are left, with reason `drain`. */
  async cut(): Promise<void> {
    await Promise.all([
      this.streams.cut("drain"),
      this.datagrams?.cut("drain"),
      this.handoffs?.cut("drain"),
      this.#own.cut(),
    ]);
  }

  /** The service drains, or does not any more. */
  drains(on: boolean): void {
    this.streams.retire(on);
    this.#own.retire(on);
  }

  /** The plugin's `stop` must not take as long as it likes any more. */
  hurry(): void {
    this.#hurried.resolve();
  }

  /** Runs the plugin's `stop`. To be called once, when no session is left. */
  async end(): Promise<void> {
    const { hooks } = this.service;
    this.service.totals.meters.delete(this.streams.deadlines);
    this.#ending.abort(new DOMException("the service stops", "AbortError"));
    await this.#own.close();
    if (hooks.stop !== undefined) await this.#stopPlugin(() => hooks.stop!());
    // What the plugin has said upstream last still goes out.
    await this.#own.drain(LAST_WORDS);
  }

  /** The plugin's `stop` has all the time that it wants, until somebody is in a hurry. */
  async #stopPlugin(stop: () => void | Promise<void>): Promise<void> {
    let over = false;
    const { clock } = this.service;
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      const giveUp = (): void => reject(new Error(`stop did not return within ${LAST_WORDS} ms`));
      this.#hurried.promise.then(() => {
        if (!over) timer = clock.setTimeout(giveUp, LAST_WORDS);
      });
    });
    try {
      await Promise.race([stop(), late]);
    } catch (error) {
      this.service.report(hookError(error));
    }
    over = true;
    clock.clear(timer);
  }
}
