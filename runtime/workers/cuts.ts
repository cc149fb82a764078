/** Single sessions that end though their service goes on, and how a worker hears of it. */
import type { CutReason } from "../core/admission/candidate.ts";
import type { ServiceInstance } from "../services/instance.ts";
import type { WorkerCommand } from "./messages.ts";

type CutCommand = Extract<WorkerCommand, { type: "cut" }>;

/** In the supervisor: tells one worker of all of one turn that end for one reason. */
export class Cuts {
  readonly #tell: (command: CutCommand) => void;
  readonly #ids: Map<CutReason, number[]> = new Map();

  constructor(tell: (command: CutCommand) => void) {
    this.#tell = tell;
  }

  add(id: number, reason: CutReason): void {
    const ids = this.#ids.get(reason);
    if (ids !== undefined) return void ids.push(id);
    this.#ids.set(reason, [id]);
    if (this.#ids.size === 1) queueMicrotask(() => this.#send());
  }

  #send(): void {
    const all = [...this.#ids];
    this.#ids.clear();
    for (const [reason, ids] of all) this.#tell({ type: "cut", ids, reason });
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
