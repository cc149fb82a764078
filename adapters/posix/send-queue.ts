/**
 * Datagrams that the kernel would not take yet, of one socket. A Unix socket's peer has a queue of
 * its own (net.unix.max_dgram_qlen), and poll(2) tells nothing about it, so each peer waits by
 * itself and sending is tried again by time; order is kept for each peer. For UDP it is the
 * socket's own send buffer that is full, and there is one queue for all.
 */
import type { Address } from "../../runtime/core/endpoint.ts";

/** Datagrams that may wait for one peer, and datagrams and bytes that may wait in all. */
const PEER_LIMIT = 256;
const TOTAL_LIMIT = 4096;
const BYTES_LIMIT: number = 4 * 1024 * 1024;
/** Milliseconds without progress after which a peer's datagrams are given up. */
const PATIENCE = 2000;
/** Tries in successive turns of the event loop before timers are used, and the longest pause between them. */
const EAGER = 8;
const LONGEST_PAUSE = 32;

interface PeerQueue<To, From> {
  readonly to: To;
  readonly waiting: {
    readonly bytes: Uint8Array;
    readonly to: To;
    readonly from: From | undefined;
  }[];
  dropped: number;
  /** When something last went out, of performance.now(). */
  since: number;
}

/** Sends one datagram: true when it is done with, sent or failed; false when the queue is full. */
export type SendOne<To, From> = (bytes: Uint8Array, to: To, from: From | undefined) => boolean;

/** Where the address that a datagram leaves from is chosen, `From` is what chooses it. */
export class SendQueue<To extends Address, From = never> {
  readonly #queues = new Map<string, PeerQueue<To, From>>();
  readonly #perPeer: boolean;
  readonly #send: SendOne<To, From>;
  readonly #drop: (count: number, to: Address) => void;
  #count = 0;
  #bytes = 0;
  #tries = 0;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;

  /**
   * @param perPeer each peer has a queue of its own, as with Unix sockets.
   * @param drop is told, from a turn of its own, how many datagrams to a peer were given up.
   */
  constructor(
    perPeer: boolean,
    send: SendOne<To, From>,
    drop: (count: number, to: Address) => void,
  ) {
    this.#perPeer = perPeer;
    this.#send = send;
    this.#drop = drop;
  }

  /** Whether a datagram to this peer has to wait behind others. */
  hasWaiting(to: Address): boolean {
    return this.#queues.size > 0 && this.#queues.has(this.#perPeer ? to.path : "");
  }

  /** Lets a copy of a datagram wait, or counts it as dropped. */
  push(bytes: Uint8Array, to: To, from?: From): void {
    const key = this.#perPeer ? to.path : "";
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      queue = { to, waiting: [], dropped: 0, since: performance.now() };
      this.#queues.set(key, queue);
    }
    if (
      queue.waiting.length >= (this.#perPeer ? PEER_LIMIT : TOTAL_LIMIT) ||
      this.#count >= TOTAL_LIMIT || this.#bytes + bytes.length > BYTES_LIMIT
    ) {
      queue.dropped++;
    } else {
      // Not `slice`, which gives a view of a Buffer.
      queue.waiting.push({ bytes: new Uint8Array(bytes), to, from });
      this.#count++;
      this.#bytes += bytes.length;
    }
    this.#schedule();
  }

  /** Tries once more and forgets the rest. */
  close(): void {
    if (this.#queues.size > 0) this.#retry();
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#queues.clear();
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#immediate !== undefined) return;
    if (this.#tries < EAGER) {
      this.#immediate = setImmediate(this.#again);
    } else {
      const pause = Math.min(LONGEST_PAUSE, 2 ** (this.#tries - EAGER));
      this.#timer = setTimeout(this.#again, pause);
    }
  }

  readonly #again = (): void => {
    this.#timer = this.#immediate = undefined;
    this.#tries = this.#retry() ? 0 : this.#tries + 1;
    if (this.#queues.size > 0) this.#schedule();
    else this.#tries = 0;
  };

  /** True when something went out. */
  #retry(): boolean {
    const now = performance.now();
    let progress = false;
    for (const [key, queue] of this.#queues) {
      const { waiting } = queue;
      let sent = 0;
      while (sent < waiting.length) {
        const { bytes, to, from } = waiting[sent]!;
        if (!this.#send(bytes, to, from)) break;
        sent++;
      }
      if (sent > 0) {
        queue.since = now;
        progress = true;
      } else if (now - queue.since > PATIENCE) {
        sent = waiting.length;
        queue.dropped += sent;
      }
      for (const { bytes } of waiting.splice(0, sent)) {
        this.#count--;
        this.#bytes -= bytes.length;
      }
      if (queue.dropped > 0) this.#drop(queue.dropped, queue.to);
      queue.dropped = 0;
      if (waiting.length === 0) this.#queues.delete(key);
    }
    return progress;
  }
}
