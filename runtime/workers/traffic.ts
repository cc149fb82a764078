/** What has gone through the sessions that workers serve, for those who look on. */
import { clearTimeout, setTimeout } from "node:timers";
import type { Candidate } from "../core/admission/candidate.ts";
import type { StreamPipeline } from "../core/stream/pipeline.ts";
import type { PendingSession } from "./pending.ts";
import type { ServiceInstance } from "../services/instance.ts";
import type { SessionTraffic, WorkerCommand, WorkerEvent } from "./messages.ts";

/** How long a worker may take to tell, in ms: one that is busy is not waited for. */
const PATIENCE = 1000;

/** Of each stream, its number and its bytes each way. */
function trafficOf(
  streams: StreamPipeline,
): { readonly type: "traffic"; readonly sessions: readonly SessionTraffic[] } {
  const sessions: SessionTraffic[] = [];
  streams.deadlines.forEach(({ id, bytesIn, bytesOut }) => sessions.push([id, bytesIn, bytesOut]));
  return { type: "traffic", sessions };
}

/** In a worker: what its sessions come to, or which of them have been idle longest. */
export function answerOf(
  { streams, shedder }: Pick<ServiceInstance, "streams" | "shedder">,
  command: Extract<WorkerCommand, { type: "idle" | "traffic" }>,
): WorkerEvent {
  if (command.type === "traffic") return trafficOf(streams);
  const { count, among } = command;
  return { type: "idle", sessions: shedder?.name(count, new Set(among)) ?? [] };
}

/** What is asked: a worker, with the sessions that it has. */
interface Worker {
  readonly live: ReadonlyMap<number, PendingSession>;
  tell(question: { readonly type: "traffic" }): void;
}

/** In the supervisor: asks one worker. */
export class TrafficAsker {
  readonly #worker: Worker;
  #told: PromiseWithResolvers<readonly SessionTraffic[]> | undefined = undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
  }

  /** The bytes, each way, of the sessions of the worker; none where it does not tell in time. */
  async ask(): Promise<(readonly [Candidate, readonly [number, number]])[]> {
    if (this.#told === undefined) {
      this.#told = Promise.withResolvers();
      this.#worker.tell({ type: "traffic" });
    }
    const late = Promise.withResolvers<readonly SessionTraffic[]>();
    const timer = setTimeout(() => late.resolve([]), PATIENCE);
    const told = await Promise.race([this.#told.promise, late.promise]);
    clearTimeout(timer);
    return told.flatMap(([id, bytesIn, bytesOut]) => {
      const session = this.#worker.live.get(id);
      return session === undefined ? [] : [[session, [bytesIn, bytesOut]] as const];
    });
  }

  answered(sessions: readonly SessionTraffic[]): void {
    this.#told?.resolve(sessions);
    this.#told = undefined;
  }
}
