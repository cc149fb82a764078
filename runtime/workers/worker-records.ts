/** Records of what becomes of the workers of a service. */
import type { ReadyService } from "../services/contract.ts";

export class WorkerRecords {
  readonly #ready: ReadyService;

  constructor(ready: ReadyService) {
    this.#ready = ready;
  }

  say(
    level: "debug" | "warn" | "error",
    action: string,
    { number, pid }: { readonly number: number; readonly pid: number },
    fields?: object,
  ): void {
    const { log, plan } = this.#ready;
    log.emit(level, "worker", { service: plan.name, action, worker: number, pid, ...fields });
  }

  /** So many processes could not be started: the service has as many as it may. */
  readonly denied = (count: number): void => {
    const { log, plan } = this.#ready;
    const fields = { action: "limited", reason: "processes", count };
    log.emit("warn", "worker", { service: plan.name, ...fields });
  };
}
