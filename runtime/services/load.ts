/** Whether there is too much to do for newcomers: one timer for all services, and only while one asks. */
import { loadavg } from "node:os";
import { type Clock, SYSTEM_CLOCK, type Timer } from "../core/clock.ts";
import { messageOf, PorticoError } from "../core/errors.ts";
import type { LoadLimit } from "../core/plan.ts";
import type { Executor, ExecutorInput } from "./contract.ts";

/** Milliseconds between two looks: at the machine's load, which the kernel sums up every 5 s; at event loops. */
const AVERAGE_PERIOD = 1000;
const DELAY_PERIOD = 100;
/** Newcomers come in again when it is down to this share of the limit: it does not flap. */
const LOW = 0.8;

/** What the limit of one service comes to. */
export class LoadGate {
  /** Newcomers are refused. */
  high = false;
  readonly limit: LoadLimit;
  /** How late the event loops of its workers are, in ms. */
  readonly workers: () => number;

  constructor(limit: LoadLimit, workers: () => number) {
    this.limit = limit;
    this.workers = workers;
  }

  look(average: number, delay: number): void {
    const share = this.high ? LOW : 1;
    const late = this.limit.delay === undefined ? 0 : Math.max(delay, this.workers());
    this.high = average > (this.limit.average ?? Infinity) * share ||
      late > (this.limit.delay ?? Infinity) * share;
  }
}

export class LoadMeter {
  readonly #clock: Clock;
  readonly #average: () => number;
  readonly #gates: Set<LoadGate> = new Set();
  #timer: Timer | undefined = undefined;
  /** When the timer should come, and when the machine's load was looked at, in ms of the clock. */
  #due = 0;
  #looked = -Infinity;
  #lastAverage = 0;

  /** @param average the load average of the machine over one minute; the system's when silent. */
  constructor(clock: Clock = SYSTEM_CLOCK, average: () => number = () => loadavg()[0]!) {
    this.#clock = clock;
    this.#average = average;
  }

  /**
   * A gate that is looked after until {@link close}.
   *
   * @throws PorticoError NOT_SUPPORTED where nobody may ask for the load.
   */
  open(limit: LoadLimit, workers: () => number = () => 0): LoadGate {
    const gate = new LoadGate(limit, workers);
    if (limit.average !== undefined) {
      this.#readAverage();
      gate.look(this.#lastAverage, 0);
    }
    this.#gates.add(gate);
    this.#clock.clear(this.#timer);
    this.#next();
    return gate;
  }

  close(gate: LoadGate): void {
    if (!this.#gates.delete(gate) || this.#gates.size > 0) return;
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
  }

  #readAverage(): void {
    try {
      this.#lastAverage = this.#average();
    } catch (error) {
      throw new PorticoError("NOT_SUPPORTED", `the load average: ${messageOf(error)}`, {
        cause: error,
      });
    }
    this.#looked = this.#clock.now();
  }

  #next(): void {
    const delays = [...this.#gates].some(({ limit }) => limit.delay !== undefined);
    const period = delays ? DELAY_PERIOD : AVERAGE_PERIOD;
    this.#due = this.#clock.now() + period;
    this.#timer = this.#clock.setTimeout(this.#look, period);
  }

  readonly #look = (): void => {
    const now = this.#clock.now();
    const delay = Math.max(0, now - this.#due);
    const averages = [...this.#gates].some(({ limit }) => limit.average !== undefined);
    if (averages && now - this.#looked >= AVERAGE_PERIOD) this.#readAverage();
    for (const gate of this.#gates) gate.look(this.#lastAverage, delay);
    this.#next();
  };
}

/** Holds the load of the machine and of the executor against a service's limit. @returns ends it. @throws as {@link LoadMeter.open}. */
export function watchLoad(
  { ready, host, admission }: Pick<ExecutorInput, "ready" | "host" | "admission">,
  executor: Executor,
): () => void {
  const { load } = ready.plan.limits;
  if (load === undefined) return () => {};
  const gate = host.load.open(load, () => executor.delay());
  admission.load = gate;
  return () => host.load.close(gate);
}
