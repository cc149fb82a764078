/** Datagrams that are passed on: each sender has a socket of its own towards its target. */
import type { Hooks, ProxyHeaderOptions, Session, StartContext } from "../../runtime/mod.ts";
import { writeProxyHeader } from "../../runtime/mod.ts";
import type { Targets } from "./targets.ts";

/** Datagrams that wait for the socket of a new sender; more are lost, as they may be. */
const WAITING_MAX = 16;

/**
 * A sender, and the address of ours that it sends to, with its socket towards a target, as RFC 1928 calls
 * it: until neither has sent anything for a while.
 */
interface Association {
  readonly key: string;
  /** The first datagram of this sender, and with it the right to answer; it is held until the end. */
  readonly client: Session<unknown>;
  readonly done: (error?: unknown) => void;
  readonly table: Associations;
  /** What each datagram to the target begins with. */
  readonly header: Uint8Array | undefined;
  upstream: Session<Association> | undefined;
  waiting: Uint8Array[];
  /** When one of both was heard last, on the clock of the table. */
  seen: number;
}

const UPSTREAM: Hooks<Association> = {
  data({ state }, bytes) {
    state.seen = state.table.now;
    state.client.write(bytes);
  },
  finish: ({ state }) => state.table.forget(state),
};

/** Who a sender is. One that two balancers tell of is answered through the one that it has come by. */
function keyOf({ remote, local, via }: Session<unknown>): string {
  const key = `${remote} ${local.host}`;
  return via === undefined ? key : `${key} ${via.remote}`;
}

function send(upstream: Session<Association>, bytes: Uint8Array): void {
  const { header } = upstream.state;
  if (header === undefined) return void upstream.write(bytes);
  const whole = new Uint8Array(header.length + bytes.length);
  whole.set(header);
  whole.set(bytes, header.length);
  upstream.write(whole);
}

/** How senders are remembered, and told of. */
interface AssociationOptions {
  /** Milliseconds. */
  readonly idle: number;
  readonly maxPeers: number;
  readonly proxyProtocol: ProxyHeaderOptions | undefined;
}

/** The associations of one service, the one that was silent for longest first. */
export class Associations {
  /** Milliseconds, as of the last look. */
  now = 0;
  readonly #targets: Targets;
  readonly #connect: StartContext<unknown>["connect"];
  readonly #idle: number;
  readonly #max: number;
  readonly #proxyProtocol: ProxyHeaderOptions | undefined;
  readonly #associations: Map<string, Association> = new Map();
  #timer: ReturnType<typeof setInterval> | undefined = undefined;

  constructor(
    targets: Targets,
    connect: StartContext<unknown>["connect"],
    { idle, maxPeers, proxyProtocol }: AssociationOptions,
  ) {
    this.#targets = targets;
    this.#connect = connect;
    this.#idle = idle;
    this.#max = maxPeers;
    this.#proxyProtocol = proxyProtocol;
  }

  /**
   * Passes a datagram on. The promise of a sender's first one is kept until the sender is forgotten:
   * as long it may be answered.
   */
  forward(client: Session<unknown>, bytes: Uint8Array): void | Promise<void> {
    const key = keyOf(client);
    const association = this.#associations.get(key);
    if (association === undefined) return this.#add(client, key, bytes);
    association.seen = this.now;
    this.#associations.delete(key);
    this.#associations.set(key, association);
    if (association.upstream !== undefined) send(association.upstream, bytes);
    else if (association.waiting.length < WAITING_MAX) {
      association.waiting.push(new Uint8Array(bytes));
    }
  }

  #add(client: Session<unknown>, key: string, bytes: Uint8Array): Promise<void> {
    if (this.#associations.size >= this.#max) {
      for (const oldest of this.#associations.values()) {
        this.#close(oldest);
        break;
      }
    }
    this.now = performance.now();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const association: Association = {
      key,
      client,
      done: (error) => error === undefined ? resolve() : reject(error),
      table: this,
      header: this.#proxyProtocol && writeProxyHeader(client, this.#proxyProtocol),
      upstream: undefined,
      waiting: [new Uint8Array(bytes)],
      seen: this.now,
    };
    this.#associations.set(key, association);
    this.#timer ??= setInterval(() => this.#look(), Math.min(1000, Math.max(10, this.#idle / 8)));
    void this.#dial(association);
    return promise;
  }

  async #dial(association: Association): Promise<void> {
    try {
      association.upstream = await this.#targets.reach(
        association.client,
        (endpoint) => this.#connect(endpoint, UPSTREAM, { state: association }),
      );
    } catch (error) {
      this.forget(association, error);
      return;
    }
    // It may have been forgotten meanwhile.
    if (this.#associations.get(association.key) !== association) return association.upstream.end();
    for (const bytes of association.waiting) send(association.upstream, bytes);
    association.waiting = [];
  }

  #look(): void {
    this.now = performance.now();
    const since = this.now - this.#idle;
    for (const association of [...this.#associations.values()]) {
      if (association.seen < since) this.#close(association);
    }
  }

  #close(association: Association): void {
    this.forget(association);
    association.upstream?.end();
  }

  /** Nothing is passed on to it any more, in either direction. */
  forget(association: Association, error?: unknown): void {
    if (this.#associations.get(association.key) === association) {
      this.#associations.delete(association.key);
    }
    if (this.#associations.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    association.done(error);
  }

  close(): void {
    for (const association of [...this.#associations.values()]) this.#close(association);
  }
}
