/**
 * Sending with sendmmsg(2): what a thread's sockets send is copied into one arena and goes out once
 * for each received batch, or once for each turn of the event loop outside of one. The arena holds
 * datagrams of one socket at a time; another socket's datagram sends them first.
 */
import type { Libc } from "./libc.ts";
import { EAGAIN, EINTR, MSG_DONTWAIT, MSG_NOSIGNAL } from "./linux.ts";
import {
  CONTROL_SIZE,
  HEADER_WORDS,
  IOVEC_SIZE,
  IOVEC_WORDS,
  MessageHeaders,
  NAME_SIZE,
  writeAddress,
} from "./message-headers.ts";
import { type LocalAddress, PACKET_INFO_BYTES } from "./packet-info.ts";
import { type EncodedAddress, NAME_WORDS } from "./sockaddr.ts";

/** Datagrams sent by one call. */
const BATCH = 64;
const ARENA_BYTES: number = 256 * 1024;
const CONTROL_WORDS = PACKET_INFO_BYTES / 4;
const FLAGS = MSG_DONTWAIT | MSG_NOSIGNAL;

/** A socket that sends. */
export interface BatchSender {
  readonly fd: number;
  /** Whether datagrams wait already that go to this peer, or through the same full buffer. */
  hasWaiting(to: EncodedAddress): boolean;
  /** The kernel cannot take it now. The bytes are lent. */
  wait(bytes: Uint8Array, to: EncodedAddress, from: LocalAddress | undefined): void;
  /** The kernel refused it for good. To be reported later: this runs inside `send`. */
  failed(errno: number, to: EncodedAddress): void;
  /** Reports what has failed. It runs where callbacks may. */
  report(): void;
}

/** The send buffers of a thread. */
export class SendBatch {
  readonly #libc: Libc;
  readonly #vector: MessageHeaders;
  readonly #targets: (EncodedAddress | undefined)[] = new Array(BATCH).fill(undefined);
  readonly #sources: (LocalAddress | undefined)[] = new Array(BATCH).fill(undefined);
  #arena: Uint8Array;
  #arenaAt: number;
  #used = 0;
  #count = 0;
  #owner: BatchSender | undefined;
  /** A batch is being delivered: what is gathered goes out at its end. */
  #delivering = false;
  #scheduled = false;
  /** Sockets with something to report. */
  readonly #reporting = new Set<BatchSender>();

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#vector = new MessageHeaders(libc, BATCH, PACKET_INFO_BYTES);
    this.#arena = new Uint8Array(new ArrayBuffer(ARENA_BYTES));
    this.#arenaAt = libc.address(this.#arena);
  }

  /**
   * Takes a copy of a datagram.
   *
   * @param from the address of ours that it leaves from; the kernel chooses when undefined.
   */
  add(
    owner: BatchSender,
    bytes: Uint8Array,
    to: EncodedAddress,
    from: LocalAddress | undefined,
  ): void {
    const size = bytes.length;
    if (this.#owner !== owner) {
      this.flush();
      this.#owner = owner;
    } else if (
      this.#count > 0 && (this.#count === BATCH || this.#used + size > this.#arena.length)
    ) {
      this.flush();
      // It may have met a full queue: then this one has its place behind those that wait.
      if (owner.hasWaiting(to)) return owner.wait(bytes, to, from);
    }
    if (size > this.#arena.length) this.#grow(size);
    const i = this.#count++;
    const used = this.#used;
    this.#arena.set(bytes, used);
    const { controls, headers, iovecs, names } = this.#vector;
    const { words } = to;
    const name = i * NAME_WORDS;
    for (let w = 0, count = (to.size + 3) >> 2; w < count; w++) names[name + w] = words[w]!;
    headers[i * HEADER_WORDS + NAME_SIZE] = to.size;
    headers[i * HEADER_WORDS + CONTROL_SIZE] = from === undefined ? 0 : from.control.length << 2;
    if (from !== undefined) controls.set(from.control, i * CONTROL_WORDS);
    writeAddress(iovecs, i * IOVEC_WORDS, this.#arenaAt + used);
    iovecs[i * IOVEC_WORDS + IOVEC_SIZE] = size;
    this.#targets[i] = to;
    this.#sources[i] = from;
    this.#used = used + size;
    if (!this.#delivering) this.schedule();
  }

  #grow(size: number): void {
    this.#arena = new Uint8Array(new ArrayBuffer(size));
    this.#arenaAt = this.#libc.address(this.#arena);
  }

  /** Lets {@link endBatch} run once in the next turn of the event loop. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    this.endBatch();
  };

  /** A batch is about to be delivered. */
  beginBatch(): void {
    this.#delivering = true;
  }

  /** A batch has been delivered: sends what is gathered, and reports what failed. */
  endBatch(): void {
    this.#delivering = false;
    this.flush();
    if (this.#reporting.size === 0) return;
    const reporting = [...this.#reporting];
    this.#reporting.clear();
    for (const sender of reporting) sender.report();
  }

  /** Has {@link BatchSender.report} called soon, where callbacks may run. */
  reportSoon(sender: BatchSender): void {
    this.#reporting.add(sender);
    if (!this.#delivering) this.schedule();
  }

  /** Sends what is gathered. Calls no callback of the core. */
  flush(): void {
    const count = this.#count;
    const owner = this.#owner;
    if (count === 0 || owner === undefined) return;
    this.#count = 0;
    this.#used = 0;
    let done = 0;
    while (done < count) {
      const sent = this.#libc.sendmmsg(owner.fd, this.#vector.pointers[done]!, count - done, FLAGS);
      if (sent > 0) done += sent;
      else if (sent === -EAGAIN) return this.#waitFrom(owner, done, count);
      else if (sent !== -EINTR) owner.failed(-sent, this.#targets[done++]!);
    }
  }

  /** Datagram `from` met a full queue: it waits, the others are tried one by one, in order for each peer. */
  #waitFrom(owner: BatchSender, from: number, count: number): void {
    const { iovecs } = this.#vector;
    let at = 0;
    for (let i = 0; i < from; i++) at += iovecs[i * IOVEC_WORDS + IOVEC_SIZE]!;
    for (let i = from; i < count; i++) {
      const size = iovecs[i * IOVEC_WORDS + IOVEC_SIZE]!;
      const to = this.#targets[i]!;
      if (i === from || owner.hasWaiting(to)) {
        owner.wait(this.#arena.subarray(at, at + size), to, this.#sources[i]);
      } else {
        const sent = this.#libc.sendmmsg(owner.fd, this.#vector.pointers[i]!, 1, FLAGS);
        if (sent === -EAGAIN) {
          owner.wait(this.#arena.subarray(at, at + size), to, this.#sources[i]);
        } else if (sent < 0) owner.failed(-sent, to);
      }
      at += size;
    }
  }

  /** Sends one datagram at once; 1, or an errno, negated. What is gathered goes first. */
  sendNow(
    sender: BatchSender,
    bytes: Uint8Array,
    to: EncodedAddress,
    from: LocalAddress | undefined,
  ): number {
    this.flush();
    const delivering = this.#delivering;
    this.#delivering = true;
    this.add(sender, bytes, to, from);
    this.#delivering = delivering;
    this.#count = this.#used = 0;
    return this.#libc.sendmmsg(sender.fd, this.#vector.pointers[0]!, 1, FLAGS);
  }
}
