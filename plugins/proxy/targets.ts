/** Where sessions are passed on to, and which of these places can be reached. */
import type { Logger, Session } from "../../runtime/mod.ts";
import { kindOf, parseEndpoint, PorticoError } from "../../runtime/mod.ts";

interface Target {
  readonly endpoint: string;
  /** Times in a row that it could not be reached. */
  fails: number;
  /** It is left out until then, on the clock of `performance.now`. */
  until: number;
}

/** How a target is judged. */
export interface Health {
  readonly fails: number;
  /** Milliseconds. */
  readonly retry: number;
  readonly log: Logger;
}

export class Targets {
  readonly #kind: "stream" | "datagram";
  readonly #health: Health;
  readonly #targets: readonly Target[];
  #next = 0;

  /** @param endpoints those of the other kind are none of ours. */
  constructor(endpoints: readonly string[], kind: "stream" | "datagram", health: Health) {
    this.#kind = kind;
    this.#health = health;
    this.#targets = endpoints
      .filter((endpoint) => kindOf(parseEndpoint(endpoint).transport) === kind)
      .map((endpoint) => ({ endpoint, fails: 0, until: 0 }));
  }

  /**
   * Opens a session with the target whose turn it is, else with the next one. Those that are left out
   * are tried only when all are.
   *
   * @throws PorticoError that the last of them failed with; the others are warnings in `client`'s log.
   */
  async reach<State>(
    client: Session<unknown>,
    open: (endpoint: string) => Promise<Session<State>>,
  ): Promise<Session<State>> {
    const targets = this.#inOrder();
    for (const [index, target] of targets.entries()) {
      try {
        const session = await open(target.endpoint);
        this.#worked(target);
        client.log.debug(`passed on to ${target.endpoint}`, { upstream: session.id });
        return session;
      } catch (error) {
        const { code, message } = error as PorticoError;
        // The service has stopped: nothing is wrong with the target.
        if (code === "SESSION_CLOSED") throw error;
        this.#failed(target);
        if (client.signal.aborted || index === targets.length - 1) throw error;
        client.log.warn(message, { code });
      }
    }
    throw new PorticoError("NOT_SUPPORTED", `proxy: "to" has no target for a ${this.#kind}`);
  }

  #inOrder(): readonly Target[] {
    const { length } = this.#targets;
    const first = this.#next;
    this.#next = (first + 1) % Math.max(1, length);
    const turned = [...this.#targets.slice(first), ...this.#targets.slice(0, first)];
    const now = performance.now();
    const up = turned.filter(({ until }) => until <= now);
    return up.length > 0 ? up : turned;
  }

  #worked(target: Target): void {
    if (target.fails >= this.#health.fails) {
      this.#health.log.info(`${target.endpoint} can be reached again`);
    }
    target.fails = 0;
    target.until = 0;
  }

  #failed(target: Target): void {
    const { fails, retry, log } = this.#health;
    target.fails++;
    if (target.fails < fails) return;
    target.until = performance.now() + retry;
    if (target.fails > fails) return;
    log.warn(`${target.endpoint} failed ${fails} times in a row: it is left out`, {
      retryMs: retry,
    });
  }
}
