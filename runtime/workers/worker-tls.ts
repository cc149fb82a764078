import type { Adapter } from "../core/contract.ts";
import type { ServicePlan } from "../core/plan.ts";
import type { TlsServerContext, TlsServerOptions } from "../core/tls.ts";
import type { TlsContexts } from "../services/tls-contexts.ts";
import { decodeCertificates } from "./messages.ts";

/** What a worker has of TLS, where its service speaks it. */
export class WorkerTls {
  readonly #failed: (error: unknown) => void;
  #options: readonly TlsServerOptions[] | undefined = undefined;
  #contexts: TlsContexts | undefined = undefined;

  /** @param failed is told why it has stayed with what it had. */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** What it is made of, from here on: see the command `certificates`. */
  set(bytes: Uint8Array): void {
    this.#options = decodeCertificates(bytes);
    try {
      this.#contexts?.update(this.#options);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Undefined where nothing was said of it. @throws PorticoError TLS_INVALID; NOT_SUPPORTED. */
  async make(plan: ServicePlan, adapter: Pick<Adapter, "tls">): Promise<TlsContexts | undefined> {
    if (this.#options === undefined) return undefined;
    const { TlsContexts } = await import("../services/tls-contexts.ts");
    return this.#contexts = await TlsContexts.make(plan, adapter, this.#options);
  }

  /** At the place that the supervisor has named; undefined for none. */
  at(place: number | undefined): TlsServerContext | undefined {
    return place === undefined ? undefined : this.#contexts!.at(place);
  }
}
