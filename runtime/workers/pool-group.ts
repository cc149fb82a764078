/** The control group of a pool's workers, where the kernel limits them. */
import { clearInterval, setInterval } from "node:timers";
import { PorticoError } from "../core/errors.ts";
import type { Resources, ServicePlan } from "../core/plan.ts";
import type { Host } from "../services/contract.ts";
import type { GroupUsage, ServiceGroup, WorkerGroup } from "../services/groups.ts";

/** Milliseconds between two looks at what was denied. */
const PERIOD = 1000;

/** A worker, as far as its group is concerned. */
export interface Member {
  readonly pid: number;
  fail(error: unknown): void;
}

export class PoolGroup {
  readonly #group: ServiceGroup;
  readonly #members: Map<Member, WorkerGroup> = new Map();

  private constructor(group: ServiceGroup) {
    this.#group = group;
  }

  /** Undefined where the kernel limits nothing. @throws PorticoError for a limit that nothing else can keep. */
  static async open(
    { groups }: Pick<Host, "groups">,
    { name, processes: { resources } }: ServicePlan,
  ): Promise<PoolGroup | undefined> {
    if (resources === undefined) return undefined;
    if (groups === undefined) return refuse(resources);
    const group = (await groups()).open(name, resources);
    return group && new PoolGroup(group);
  }

  /** Before it is told what to do: nothing of the service has happened in it. */
  enter(worker: Member): void {
    if (worker.pid === 0) return;
    try {
      this.#members.set(worker, this.#group.enter(worker.pid));
    } catch (error) {
      worker.fail(error);
    }
  }

  /** @returns what the kernel has killed it for, if it has. */
  left(worker: Member): string | undefined {
    const left = this.#members.get(worker)?.ended();
    this.#members.delete(worker);
    return left;
  }

  /** Whether it bounds the memory of its workers: nobody else need look at it. */
  get boundsMemory(): boolean {
    return this.#group.controllers.has("memory");
  }

  get usage(): GroupUsage {
    return this.#group.usage();
  }

  /** Tells how many processes could not be started, when there have been more. @returns a function that ends it. */
  watch(told: (count: number) => void): () => void {
    if (!this.#group.controllers.has("pids")) return () => {};
    let before = this.usage.denied;
    const look = (): void => {
      const { denied } = this.usage;
      if (denied > before) told(denied - before);
      before = denied;
    };
    const timer = setInterval(look, PERIOD);
    return () => {
      clearInterval(timer);
      look();
    };
  }

  /** No worker is left. */
  close(): void {
    this.#group.close();
  }
}

/** Part of another program, which is not ours to put into a group. */
function refuse({ total }: Resources): undefined {
  for (const key of ["cpu", "processes"] as const) {
    if (total?.[key] === undefined) continue;
    const text =
      `resources.total.${key}: this server has no control groups: run it by "portico run"`;
    throw new PorticoError("NOT_SUPPORTED", text);
  }
}
