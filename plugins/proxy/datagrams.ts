/** Datagrams that are passed on: each sender has a socket of its own towards its target. */
import type { Hooks, Session, StartContext } from "../../runtime/mod.ts";
import type { Targets } from "./targets.ts";

/** Datagrams that wait for the socket of a new sender; more are lost, as they may be. */
const WAITING_MAX = 16;

interface Peer {
  readonly key: string;
  /** The first datagram of this sender, and with it the right to answer; it is held until the end. */
  readonly client: Session<unknown>;
  readonly done: (error?: unknown) => void;
  readonly table: Peers;
  upstream: Session<Peer> | undefined;
  waiting: Uint8Array[];
  /** When one of both was heard last, on the clock of the table. */
  seen: number;
}

const UPSTREAM: Hooks<Peer> = {
  data({ state }, bytes) {
    state.seen = state.table.now;
    state.client.write(bytes);
  },
  finish: ({ state }) => state.table.forget(state),
};

/** The senders of one service, the one that was silent for longest first. */
export class Peers {
  /** Milliseconds, as of the last look. */
  now = 0;
  readonly #targets: Targets;
  readonly #connect: StartContext<unknown>["connect"];
  readonly #idle: number;
  readonly #max: number;
  readonly #peers: Map<string, Peer> = new Map();
  #timer: ReturnType<typeof setInterval> | undefined = undefined;

  constructor(
    targets: Targets,
    connect: StartContext<unknown>["connect"],
    { idle, maxPeers }: { readonly idle: number; readonly maxPeers: number },
  ) {
    this.#targets = targets;
    this.#connect = connect;
    this.#idle = idle;
    this.#max = maxPeers;
  }

  /**
   * Passes a datagram on. The promise of a sender's first one is kept until the sender is forgotten:
   * as long it may be answered.
   */
  forward(client: Session<unknown>, bytes: Uint8Array): void | Promise<void> {
    const key = String(client.remote);
    const peer = this.#peers.get(key);
    if (peer === undefined) return this.#welcome(client, key, bytes);
    peer.seen = this.now;
    this.#peers.delete(key);
    this.#peers.set(key, peer);
    if (peer.upstream !== undefined) peer.upstream.write(bytes);
    else if (peer.waiting.length < WAITING_MAX) peer.waiting.push(new Uint8Array(bytes));
  }

  #welcome(client: Session<unknown>, key: string, bytes: Uint8Array): Promise<void> {
    if (this.#peers.size >= this.#max) {
      for (const oldest of this.#peers.values()) {
        this.#close(oldest);
        break;
      }
    }
    this.now = performance.now();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const peer: Peer = {
      key,
      client,
      done: (error) => error === undefined ? resolve() : reject(error),
      table: this,
      upstream: undefined,
      waiting: [new Uint8Array(bytes)],
      seen: this.now,
    };
    this.#peers.set(key, peer);
    this.#timer ??= setInterval(() => this.#look(), Math.min(1000, Math.max(10, this.#idle / 8)));
    void this.#dial(peer);
    return promise;
  }

  async #dial(peer: Peer): Promise<void> {
    try {
      peer.upstream = await this.#targets.reach(
        peer.client,
        (endpoint) => this.#connect(endpoint, UPSTREAM, { state: peer }),
      );
    } catch (error) {
      this.forget(peer, error);
      return;
    }
    // It may have been forgotten meanwhile.
    if (this.#peers.get(peer.key) !== peer) return peer.upstream.end();
    for (const bytes of peer.waiting) peer.upstream.write(bytes);
    peer.waiting = [];
  }

  #look(): void {
    this.now = performance.now();
    const since = this.now - this.#idle;
    for (const peer of [...this.#peers.values()]) if (peer.seen < since) this.#close(peer);
  }

  #close(peer: Peer): void {
    this.forget(peer);
    peer.upstream?.end();
  }

  /** Nothing is passed on to it any more, in either direction. */
  forget(peer: Peer, error?: unknown): void {
    if (this.#peers.get(peer.key) === peer) this.#peers.delete(peer.key);
    if (this.#peers.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    peer.done(error);
  }

  close(): void {
    for (const peer of [...this.#peers.values()]) this.#close(peer);
  }
}
