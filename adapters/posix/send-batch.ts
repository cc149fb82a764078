/**
 * Sending with sendmmsg(2): what a thread's sockets send is copied into one arena and goes out once
 * for each received batch, or once for each turn of the event loop outside of one. The arena holds
 * datagrams of one socket at a time; another socket's datagram sends them first.
 *
 * UDP datagrams of one size that go to one peer are one message of the call, which the kernel cuts
 * again (UDP_SEGMENT of udp(7)): its way through the stack, which is most of what a datagram costs,
 * is walked once for all of them.
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
import { joins, refusesSegments, SEGMENT_CONTROL_BYTES, writeSegment } from "./segments.ts";
import { type EncodedAddress, NAME_WORDS } from "./sockaddr.ts";

/** Messages sent by one call. */
const BATCH = 64;
/** The message after them sends a datagram alone. */
const ALONE = BATCH;
const ARENA_BYTES: number = 256 * 1024;
const CONTROL_BYTES: number = PACKET_INFO_BYTES;
const CONTROL_WORDS = CONTROL_BYTES / 4;
const FLAGS = MSG_DONTWAIT | MSG_NOSIGNAL;

/** A socket that sends. */
export interface BatchSender {
  readonly fd: number;
  /** Whether the kernel cuts messages into datagrams. */
  readonly segments: boolean;
  /** It does not on the way to a peer. */
  stopSegments(): void;
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
  // Of each message: who it goes to and from, how many datagrams it is, and how long the first of them.
  readonly #targets: (EncodedAddress | undefined)[] = new Array(BATCH).fill(undefined);
  readonly #sources: (LocalAddress | undefined)[] = new Array(BATCH).fill(undefined);
  readonly #counts: Int32Array = new Int32Array(BATCH);
  readonly #segments: Int32Array = new Int32Array(BATCH);
  /** Where each begins in the arena. */
  readonly #offsets: Int32Array = new Int32Array(BATCH);
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
    this.#vector = new MessageHeaders(libc, BATCH + 1, CONTROL_BYTES);
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
    } else if (this.#count > 0) {
      if (this.#join(owner, bytes, to, from)) return;
      if (this.#count === BATCH || this.#used + size > this.#arena.length) {
        this.flush();
        // It may have met a full queue: then this one has its place behind those that wait.
        if (owner.hasWaiting(to)) return owner.wait(bytes, to, from);
      }
    }
    if (size > this.#arena.length) this.#grow(size);
    const i = this.#count++;
    this.#arena.set(bytes, this.#used);
    this.#write(i, this.#used, size, to, from);
    this.#targets[i] = to;
    this.#sources[i] = from;
    this.#counts[i] = 1;
    this.#segments[i] = size;
    this.#offsets[i] = this.#used;
    this.#used += size;
    if (!this.#delivering) this.schedule();
  }

  /** Makes a datagram part of the last message, if that may be. */
  #join(
    owner: BatchSender,
    bytes: Uint8Array,
    to: EncodedAddress,
    from: LocalAddress | undefined,
  ): boolean {
    const i = this.#count - 1;
    if (this.#targets[i] !== to || this.#sources[i] !== from || !owner.segments) return false;
    const size = bytes.length;
    const count = this.#counts[i]!;
    const segment = this.#segments[i]!;
    const { controls, headers, iovecs } = this.#vector;
    const total = iovecs[i * IOVEC_WORDS + IOVEC_SIZE]!;
    if (!joins(size, segment, count, total) || this.#used + size > this.#arena.length) return false;
    if (count === 1) {
      const own = from === undefined ? 0 : from.control.length;
      writeSegment(controls, i * CONTROL_WORDS + own, segment);
      headers[i * HEADER_WORDS + CONTROL_SIZE] = own * 4 + SEGMENT_CONTROL_BYTES;
    }
    this.#arena.set(bytes, this.#used);
    this.#used += size;
    this.#counts[i] = count + 1;
    iovecs[i * IOVEC_WORDS + IOVEC_SIZE] = total + size;
    return true;
  }

  /** Writes message `i`: `size` bytes of the arena. */
  #write(
    i: number,
    at: number,
    size: number,
    to: EncodedAddress,
    from: LocalAddress | undefined,
  ): void {
    const { controls, headers, iovecs, names } = this.#vector;
    const { words } = to;
    const name = i * NAME_WORDS;
    for (let w = 0, count = (to.size + 3) >> 2; w < count; w++) names[name + w] = words[w]!;
    headers[i * HEADER_WORDS + NAME_SIZE] = to.size;
    headers[i * HEADER_WORDS + CONTROL_SIZE] = from === undefined ? 0 : from.control.length << 2;
    if (from !== undefined) controls.set(from.control, i * CONTROL_WORDS);
    writeAddress(iovecs, i * IOVEC_WORDS, this.#arenaAt + at);
    iovecs[i * IOVEC_WORDS + IOVEC_SIZE] = size;
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
    for (let done = 0; done < count;) {
      const sent = this.#libc.sendmmsg(owner.fd, this.#vector.pointers[done]!, count - done, FLAGS);
      if (sent > 0) done += sent;
      else if (sent === -EAGAIN) return this.#waitFrom(owner, done, count);
      else if (sent !== -EINTR) this.#refused(owner, done++, -sent);
    }
  }

  /** Message `i` cannot be sent. Of several datagrams the first is to blame, or that they are one message. */
  #refused(owner: BatchSender, i: number, errno: number): void {
    const cutting = this.#counts[i]! > 1 && refusesSegments(errno);
    if (cutting) owner.stopSegments();
    else owner.failed(errno, this.#targets[i]!);
    this.#sendEach(owner, i, cutting ? 0 : 1);
  }

  /** Message `from` met a full queue: its datagrams wait, the others are tried one by one. */
  #waitFrom(owner: BatchSender, from: number, count: number): void {
    for (let i = from; i < count; i++) this.#sendEach(owner, i, 0, i === from);
  }

  /** Sends the datagrams of message `i` from `first` on, in order for each peer. @param full they wait. */
  #sendEach(owner: BatchSender, i: number, first: number, full = false): void {
    const to = this.#targets[i]!;
    const from = this.#sources[i];
    const segment = this.#segments[i]!;
    const end = this.#offsets[i]! + this.#vector.iovecs[i * IOVEC_WORDS + IOVEC_SIZE]!;
    for (let n = first, count = this.#counts[i]!; n < count; n++) {
      const at = this.#offsets[i]! + n * segment;
      const size = Math.min(segment, end - at);
      const waits = full || owner.hasWaiting(to);
      const sent = waits ? -EAGAIN : this.#sendAlone(owner, at, size, to, from);
      if (sent === -EAGAIN || sent === -EINTR) {
        owner.wait(this.#arena.subarray(at, at + size), to, from);
      } else if (sent < 0) owner.failed(-sent, to);
    }
  }

  /** Sends one datagram of the arena; 1, or an errno, negated. */
  #sendAlone(
    { fd }: BatchSender,
    at: number,
    size: number,
    to: EncodedAddress,
    from: LocalAddress | undefined,
  ): number {
    this.#write(ALONE, at, size, to, from);
    return this.#libc.sendmmsg(fd, this.#vector.pointers[ALONE]!, 1, FLAGS);
  }

  /** Sends one datagram at once; 1, or an errno, negated. What is gathered goes first. */
  sendNow(
    sender: BatchSender,
    bytes: Uint8Array,
    to: EncodedAddress,
    from: LocalAddress | undefined,
  ): number {
    this.flush();
    const size = bytes.length;
    if (size > this.#arena.length) this.#grow(size);
    this.#arena.set(bytes);
    return this.#sendAlone(sender, 0, size, to, from);
  }
}
