/** Single sessions that end though their service goes on, and how a worker hears of it. */
import type { CutReason } from "../core/admission/candidate.ts";
import type { ServiceInstance } from "../services/instance.ts";
import type { WorkerCommand } from "./messages.ts";

type CutCommand = Extract<WorkerCommand, { type: "cut" }>;

/** In the supervisor: tells one worker of all of one turn at once. */
export class Cuts {
  readonly #tell: (command: CutCommand) => void;
  #ids: number[] = [];

  constructor(tell: (command: CutCommand) => void) {
    this.#tell = tell;
  }

  add(id: number, reason: CutReason): void {
    if (this.#ids.push(id) > 1) return;
    queueMicrotask(() => {
      const ids = this.#ids;
      this.#ids = [];
      this.#tell({ type: "cut", ids, reason });
    });
  }
}

/** In the worker. Who has gone by now is none of them. */
export function cutSome(instance: ServiceInstance, { ids, reason }: CutCommand): void {
  const found = new Set(ids);
  const cut = (session: { readonly id: number; cut(reason: CutReason): void }): void => {
    if (found.has(session.id)) session.cut(reason);
  };
  instance.streams.deadlines.forEach(cut);
  instance.handoffs?.timers.forEach(cut);
  instance.datagrams?.forEach(cut);
}
