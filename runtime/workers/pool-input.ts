import type { Descriptors } from "../core/descriptors.ts";
import type { Host, ReadyService } from "../services/contract.ts";
import type { WorkerUse } from "./launch.ts";
import type { CertificatesCommand } from "./messages.ts";

/** What a pool is made of. */
export interface PoolInput {
  readonly ready: ReadyService;
  readonly host: Host;
  readonly descriptors: Descriptors;
  readonly use: WorkerUse;
  /** Of a service that speaks TLS: what each worker is told first. */
  readonly certificates?: (() => CertificatesCommand) | undefined;
  /** Too many deaths in a row, by the reason: there will be no more workers until {@link WorkerPool.revive}. */
  readonly failed: (reason: string) => void;
}
