/** What services have of TLS in tests: a plan, and certificates that are there. */
import type { TlsPlan } from "../../runtime/core/plan.ts";
import type { TlsServerOptions } from "../../runtime/core/tls.ts";
import type { Certificates } from "../../runtime/services/contract.ts";

/** Whoever reads it finds {@link FixedCertificates}. */
export const TLS: TlsPlan = {
  certificates: "self-signed",
  alpn: [],
  client: "none",
  ca: [],
  minVersion: "TLSv1.2",
  tickets: 0,
};

/** Nothing, for adapters that look at nothing. */
export const NO_OPTIONS: TlsServerOptions = {
  identities: [],
  alpn: [],
  client: "none",
  ca: [],
  minVersion: "TLSv1.2",
};

/** In the place of files: the same for every plan. */
export class FixedCertificates implements Certificates {
  options: TlsServerOptions;
  readonly #callbacks: Set<(options: TlsServerOptions) => void> = new Set();

  constructor(options: TlsServerOptions = NO_OPTIONS) {
    this.options = options;
  }

  onChange(callback: (options: TlsServerOptions) => void): () => void {
    this.#callbacks.add(callback);
    return () => void this.#callbacks.delete(callback);
  }

  /** As if the files had changed. */
  change(options: TlsServerOptions): void {
    this.options = options;
    for (const callback of this.#callbacks) callback(options);
  }

  /** For {@link Host.certificates}. */
  readonly read = (): Promise<Certificates> => Promise.resolve(this);
}
