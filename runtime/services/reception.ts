/** Connections that other services hand to one: while that one accepts nobody, they wait here, and nothing is read. */
import type { Admission } from "../core/admission/admission.ts";
import type { ServicePlan } from "../core/plan.ts";
import type { Executor, Host, Manner, Receiver, Unread } from "./contract.ts";
import type { HeldConnection } from "./held-connection.ts";

/** How many may wait: as many as in the queue of a socket that nobody accepts from. */
const MOST = 511;

const IN_CLEAR = {};

export class Reception implements Receiver {
  readonly #plan: Pick<ServicePlan, "name" | "tls">;
  readonly #executor: Pick<Executor, "adopt" | "takes" | "take">;
  readonly #host: Pick<Host, "receiver">;
  readonly #admission: Pick<Admission, "close">;
  #state: "shut" | "open" | "closed" = "shut";
  #waiting: (Unread | HeldConnection)[] = [];
  /** Who is on the way to be a session. */
  #adopting = 0;
  #none: () => void = () => {};
  readonly #adopted = (): void => {
    if (--this.#adopting === 0) this.#none();
  };

  /** @param admission of the service with this plan. */
  constructor(
    plan: Pick<ServicePlan, "name" | "tls">,
    executor: Pick<Executor, "adopt" | "takes" | "take">,
    host: Pick<Host, "receiver">,
    admission: Pick<Admission, "close">,
  ) {
    this.#plan = plan;
    this.#executor = executor;
    this.#host = host;
    this.#admission = admission;
  }

  takes(manner: Manner): boolean {
    return this.#executor.takes?.(manner) === true;
  }

  receive(arrival: Unread | HeldConnection): boolean {
    const held = !("fd" in arrival);
    if (held && !this.takes(arrival.manner)) return false;
    if (this.#state === "open") {
      if (held) this.#take(arrival);
      else this.#adopt(arrival);
      return true;
    }
    if (this.#state === "closed" || this.#waiting.length >= MOST) return false;
    this.#waiting.push(arrival);
    if (held) arrival.give();
    return true;
  }

  #take(held: HeldConnection): void {
    const taken = this.#executor.take!(held);
    if (taken !== undefined) this.#await(taken);
  }

  #adopt({ fd, origin, tls }: Unread): void {
    this.#await(this.#executor.adopt(fd, origin, tls ? this.#plan : IN_CLEAR));
  }

  /** One that has gone before it was served, nobody has seen. */
  #await(adoption: Promise<void>): void {
    this.#adopting++;
    adoption.then(this.#adopted, this.#adopted);
  }

  /** The service is something else from here on: only one that runs lets anybody in. */
  follow(state: string): void {
    if (state === "running") this.#open();
    else if (this.#state === "open") this.#state = "shut";
  }

  /**
   * The service stops. Who waits goes to the one that takes its place; if that is in another process, or cannot take
   * it, it is served here still; if there is none, it is refused.
   *
   * @param keep there is a successor.
   * @param senders resolves when nobody hands it anything more.
   */
  async end(keep: boolean, senders: Promise<unknown> | undefined): Promise<void> {
    await senders;
    await this.#settled();
    const successor = this.#host.receiver?.(this.#plan.name);
    if (keep && successor !== undefined && successor !== this) {
      this.#pass(successor);
      if (this.#waiting.length === 0) return;
    }
    if (!keep) this.#admission.close();
    this.#open();
    await this.#settled();
  }

  /** Whoever was let in is a session by now, or refused. */
  async #settled(): Promise<void> {
    if (this.#adopting > 0) await new Promise<void>((resolve) => this.#none = resolve);
  }

  /** Nobody is taken any more. */
  close(): void {
    this.#state = "closed";
  }

  #open(): void {
    if (this.#state !== "closed") this.#state = "open";
    this.#pass(this);
  }

  /** It is open, or has begun just now: there is room. */
  #pass(to: Receiver): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waiting = waiting.filter((one) => !to.receive(one));
  }
}
