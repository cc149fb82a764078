/** The TLS of one service: a context for each way in which its manifest has it spoken. */
import type { Adapter } from "../core/contract.ts";
import { PorticoError } from "../core/errors.ts";
import type { ServicePlan, TlsPlan } from "../core/plan.ts";
import type { TlsServerContext, TlsServerOptions } from "../core/tls.ts";
import type { Certificates, Host } from "./contract.ts";

/** Those of a service, each once. Their places are the same in every process that has the plan. */
export function tlsPlans({ tls, listen }: Pick<ServicePlan, "tls" | "listen">): TlsPlan[] {
  const all = [tls, ...listen.map((each) => each.tls)].filter((each) => each !== undefined);
  return [...new Map(all.map((each) => [JSON.stringify(each), each])).values()];
}

/** The place of one of {@link tlsPlans}. */
export function placeOf(plan: TlsPlan, plans: readonly TlsPlan[]): number {
  const text = JSON.stringify(plan);
  return plans.findIndex((each) => JSON.stringify(each) === text);
}

/** What is in the files of a service, where its sockets are. */
export class ServiceCertificates {
  readonly #all: readonly Certificates[];
  readonly #ends: (() => void)[] = [];

  private constructor(all: readonly Certificates[]) {
    this.#all = all;
  }

  /** Undefined where a service has none. @throws PorticoError TLS_INVALID; NOT_SUPPORTED. */
  static async read(
    plan: ServicePlan,
    { certificates }: Pick<Host, "certificates">,
  ): Promise<ServiceCertificates | undefined> {
    const plans = tlsPlans(plan);
    if (plans.length === 0) return undefined;
    if (certificates === undefined) {
      throw new PorticoError("NOT_SUPPORTED", "there is nobody who reads certificates");
    }
    return new ServiceCertificates(await Promise.all(plans.map((each) => certificates(each))));
  }

  /** As they are now, by the place of their plan. */
  get options(): TlsServerOptions[] {
    return this.#all.map(({ options }) => options);
  }

  /** Calls back when they have become others, until {@link close}. */
  onChange(callback: () => void): void {
    for (const one of new Set(this.#all)) this.#ends.push(one.onChange(callback));
  }

  close(): void {
    for (const end of this.#ends.splice(0)) end();
  }
}

/** The contexts of a service, wherever its sessions are served. */
export class TlsContexts {
  readonly #plans: readonly TlsPlan[];
  readonly #contexts: readonly TlsServerContext[];

  private constructor(plans: readonly TlsPlan[], contexts: readonly TlsServerContext[]) {
    this.#plans = plans;
    this.#contexts = contexts;
  }

  /** @throws PorticoError TLS_INVALID; NOT_SUPPORTED. */
  static async make(
    plan: ServicePlan,
    adapter: Pick<Adapter, "tls">,
    options: readonly TlsServerOptions[],
  ): Promise<TlsContexts> {
    if (adapter.tls === undefined) {
      throw new PorticoError("NOT_SUPPORTED", "this runtime on this machine speaks no TLS");
    }
    const engine = await adapter.tls();
    return new TlsContexts(tlsPlans(plan), options.map((each) => engine.server(each)));
  }

  /** Of an endpoint, or of a whole service; undefined where that speaks in clear. */
  of({ tls }: { readonly tls?: TlsPlan | undefined }): TlsServerContext | undefined {
    return tls && this.#contexts[placeOf(tls, this.#plans)];
  }

  at(place: number): TlsServerContext {
    return this.#contexts[place]!;
  }

  /** From the next handshake on. @throws PorticoError TLS_INVALID. */
  update(options: readonly TlsServerOptions[]): void {
    for (const [place, context] of this.#contexts.entries()) context.update(options[place]!);
  }
}
