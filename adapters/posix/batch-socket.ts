/**
 * A datagram socket over a descriptor, in batches through FFI: recvmmsg(2) into shared buffers, a
 * callback for each datagram, sendmmsg(2) for what they answered. It is the same on every runtime;
 * what tells it that the descriptor is readable is the adapter's.
 */
import type { DatagramSocket, DatagramTable, Losses } from "../../runtime/core/contract.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { dropped, fitsUdp, isUnnamed, truncated, UDP_MAX, wrongAddress } from "../datagram.ts";
import { receiveFailure, sendFailure } from "../errno.ts";
import { type BatchBuffers, buffersOf } from "./batch-buffers.ts";
import type { Libc } from "./libc.ts";
import {
  AF_INET6,
  AF_UNIX,
  EAGAIN,
  EINTR,
  MSG_DONTWAIT,
  MSG_TRUNC,
  SO_ERROR,
  SO_SNDBUF,
  SOL_SOCKET,
} from "./linux.ts";
import { CONTROL_SIZE, FLAGS, HEADER_WORDS, LENGTH } from "./message-headers.ts";
import { lossesOf } from "./losses.ts";
import { familyOf } from "./options.ts";
import { type LocalAddress, LocalAddresses, PACKET_INFO_BYTES } from "./packet-info.ts";
import { DATAGRAM_MAX } from "./receive-batch.ts";
import { ReceivePace } from "./receive-pace.ts";
import { hasSegments } from "./segments.ts";
import type { BatchSender } from "./send-batch.ts";
import { SendQueue } from "./send-queue.ts";
import { encode, EncodedAddress, NAME_WORDS } from "./sockaddr.ts";
import { duplicate } from "./passing.ts";

/** Datagrams delivered in one turn of the event loop; timers and other sockets have theirs after it. */
const TURN = 256;
const CONTROL_WORDS = PACKET_INFO_BYTES / 4;

/** What an option of a socket is read into. */
const number = new Int32Array(new ArrayBuffer(4));
const numberBytes = new Uint8Array(number.buffer);

/** A descriptor, and what becomes of it. */
export interface OwnedDescriptor {
  readonly fd: number;
  readonly address: Address;
  /** Ends the waiting for datagrams; {@link BatchSocket.receive} is not called any more when it has resolved. */
  stopWaiting(): void | Promise<void>;
  /** Gives the descriptor and the address back, when everything has been sent; not the file, to `keep` it. */
  release(keep: boolean): void | Promise<void>;
}

/** See {@link DatagramSocket}. */
export class BatchSocket implements DatagramSocket, BatchSender {
  data: unknown = undefined;
  readonly address: Address;
  #fd: number;
  readonly #table: DatagramTable;
  readonly #libc: Libc;
  readonly #buffers: BatchBuffers;
  readonly #owned: OwnedDescriptor;
  readonly family: number;
  /** The largest datagram that it surely sends, in bytes. */
  readonly #limit: number;
  /** See {@link BatchSender.segments}. */
  segments: boolean;
  readonly #queue: SendQueue<EncodedAddress, LocalAddress>;
  /** Of a socket that is bound to every address of the machine. */
  readonly #locals: LocalAddresses | undefined;
  /** The kernel's form of addresses that others made. */
  readonly #encoded = new WeakMap<Address, EncodedAddress>();
  #problems: PorticoError[] = [];
  readonly #pace = new ReceivePace();
  #stopped: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(libc: Libc, table: DatagramTable, owned: OwnedDescriptor) {
    this.#libc = libc;
    this.#buffers = buffersOf(libc);
    this.#table = table;
    this.#owned = owned;
    this.#fd = owned.fd;
    this.address = owned.address;
    this.family = familyOf(libc, owned.fd);
    this.#locals = LocalAddresses.of(libc, owned.fd, this.family, owned.address);
    const unix = this.family === AF_UNIX;
    this.#limit = unix ? unixLimit(libc, owned.fd) : UDP_MAX;
    this.segments = !unix && hasSegments(libc, owned.fd);
    this.#queue = new SendQueue(unix, this.#sendOne, (count, to) => {
      this.#fail(dropped(count, to, unix));
    });
  }

  get fd(): number {
    return this.#fd;
  }

  /** Whether neither {@link stopReceiving} nor {@link close} has been called. */
  get receiving(): boolean {
    return this.#closed === undefined && this.#stopped === undefined;
  }

  /** Goes on with another descriptor of the same socket. */
  changeDescriptor(fd: number): void {
    this.#buffers.sending.flush();
    this.#fd = fd;
  }

  send(bytes: Uint8Array, to: Address, from?: Address): boolean {
    if (this.#closed !== undefined) return true;
    const peer = to instanceof EncodedAddress && to.family === this.family ? to : this.#resolve(to);
    if (peer === undefined || (to.port === 0 && isUnnamed(to))) return this.#refuse(to);
    if (bytes.length > this.#limit && !this.#fits(bytes.length, peer)) {
      this.#fail(sendFailure("EMSGSIZE", peer));
      return false;
    }
    const local = from === undefined ? undefined : this.#locals?.resolve(from);
    if (this.#queue.hasWaiting(peer)) this.#queue.push(bytes, peer, local);
    else this.#buffers.sending.add(this, bytes, peer, local);
    return true;
  }

  /** See {@link DialedSocket.offer}. */
  offerTo(bytes: Uint8Array, to: EncodedAddress): boolean {
    if (this.#closed !== undefined) return true;
    if (bytes.length > this.#limit && !this.#fits(bytes.length, to)) {
      throw sendFailure("EMSGSIZE", to);
    }
    if (this.#queue.hasWaiting(to)) return false;
    const sent = this.#buffers.sending.sendNow(this, bytes, to, undefined);
    if (sent === -EAGAIN || sent === -EINTR) return false;
    if (sent < 0) throw sendFailure(-sent, to);
    return true;
  }

  /** See {@link DialedSocket.takeError}. */
  takeError(): PorticoError | undefined {
    if (this.#closed !== undefined) return undefined;
    number[0] = 0;
    this.#libc.getsockopt(this.#fd, SOL_SOCKET, SO_ERROR, numberBytes);
    return number[0] === 0 ? undefined : receiveFailure(number[0]);
  }

  /** IPv6 carries a little more than IPv4, also from a socket that speaks both. */
  #fits(size: number, peer: EncodedAddress): boolean {
    return this.family === AF_INET6 && fitsUdp(size, peer.host);
  }

  #resolve(to: Address): EncodedAddress | undefined {
    let peer = this.#encoded.get(to);
    if (peer === undefined) {
      peer = encode(to, this.family);
      if (peer !== undefined) this.#encoded.set(to, peer);
    }
    return peer;
  }

  #refuse(to: Address): false {
    const unix = this.family === AF_UNIX;
    if (isUnnamed(to)) this.#fail(new PorticoError("PEER_UNNAMED"));
    else {
      const kind = unix ? "a Unix datagram" : this.family === AF_INET6 ? "a UDP" : "an IPv4";
      this.#fail(wrongAddress(to, kind));
    }
    return false;
  }

  /**
   * Receives what is there and delivers it, up to {@link TURN} datagrams.
   *
   * @param first a datagram that came before them, which the adapter has received by itself.
   * @returns whether there may be more.
   */
  receive(first?: Uint8Array, from?: Address): boolean {
    // What the adapter has received is delivered, even when no more is wanted.
    if (this.#closed !== undefined || (!this.receiving && from === undefined)) return false;
    const { received, sending } = this.#buffers;
    const pace = this.#pace;
    let total = 0;
    let last = 1;
    let more = true;
    sending.beginBatch();
    pace.begin();
    if (from !== undefined) {
      this.#table.datagram(this, first!, from, this.address);
      total = 1;
      sending.flush();
      more = pace.again(last);
    }
    while (more && total < TURN && this.receiving) {
      const count = received.receive(this.#fd, pace.size, MSG_DONTWAIT);
      if (count > 0) {
        pace.found();
        last = count;
        total += count;
        this.#deliver(count);
        received.reset(count);
        sending.flush();
        if (count < pace.size) more = pace.again(last);
      } else if (count === -EAGAIN) {
        more = pace.again(last);
      } else {
        total++;
        // An ICMP answer, most often. It is taken from the socket by being told.
        if (count !== -EINTR) this.#table.failure(this, receiveFailure(-count));
      }
    }
    if (more) pace.cut();
    else pace.end();
    sending.endBatch();
    return more && this.receiving;
  }

  #deliver(count: number): void {
    const { received, peers } = this.#buffers;
    const { controls, headers, names, nameBytes } = received.headers;
    const locals = this.#locals;
    for (let i = 0; i < count; i++) {
      const header = i * HEADER_WORDS;
      const size = headers[header + LENGTH]!;
      const from = peers.find(names, nameBytes, i * NAME_WORDS, headers[header + 2]!);
      if ((headers[header + FLAGS]! & MSG_TRUNC) !== 0) {
        this.#fail(truncated(from, DATAGRAM_MAX));
        continue;
      }
      const to = locals?.find(controls, i * CONTROL_WORDS, headers[header + CONTROL_SIZE]!);
      this.#table.datagram(this, received.view(i, size), from, to ?? this.address);
      received.check(i, size);
      if (this.#closed !== undefined) return;
    }
  }

  hasWaiting(to: EncodedAddress): boolean {
    return this.#queue.hasWaiting(to);
  }

  wait(bytes: Uint8Array, to: EncodedAddress, from: LocalAddress | undefined): void {
    this.#queue.push(bytes, to, from);
  }

  stopSegments(): void {
    this.segments = false;
  }

  failed(errno: number, to: EncodedAddress): void {
    this.#fail(sendFailure(errno, to));
  }

  #fail(error: PorticoError): void {
    if (this.#closed !== undefined) return;
    this.#problems.push(error);
    this.#buffers.sending.reportSoon(this);
  }

  report(): void {
    const problems = this.#problems;
    this.#problems = [];
    for (const each of problems) {
      if (this.#closed === undefined) this.#table.failure(this, each);
    }
  }

  readonly #sendOne = (
    bytes: Uint8Array,
    to: EncodedAddress,
    from: LocalAddress | undefined,
  ): boolean => {
    const sent = this.#buffers.sending.sendNow(this, bytes, to, from);
    if (sent === -EAGAIN || sent === -EINTR) return false;
    if (sent < 0) this.failed(-sent, to);
    return true;
  };

  losses(): Losses | undefined {
    return this.#closed === undefined ? lossesOf(this.#libc, this.#fd) : undefined;
  }

  duplicate(): Promise<number> {
    return Promise.try(() => {
      if (this.#closed === undefined) return duplicate(this.#libc, this.#fd);
      throw new PorticoError("NOT_SUPPORTED", `${this.address} is closed`);
    });
  }

  stopReceiving(): Promise<void> {
    if (this.#closed !== undefined) return this.#closed;
    if (this.#stopped !== undefined) return this.#stopped;
    // Set before anything else is done: what that calls may ask whether it still receives.
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#stopped = promise;
    Promise.try(() => this.#owned.stopWaiting()).then(resolve, (error) => {
      // It goes on as before.
      this.#stopped = undefined;
      reject(error);
    });
    return promise;
  }

  close(keep = false): Promise<void> {
    if (this.#closed !== undefined) return this.#closed;
    this.#buffers.sending.flush();
    this.#queue.close();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#closed = promise;
    const release = (): void | Promise<void> => this.#owned.release(keep);
    const released = this.#stopped === undefined
      ? Promise.try(release)
      : this.#stopped.then(release, release);
    released.then(resolve, reject);
    return promise;
  }
}

/** unix(7) keeps 32 bytes of the send buffer for itself. */
function unixLimit(libc: Libc, fd: number): number {
  libc.getsockopt(fd, SOL_SOCKET, SO_SNDBUF, numberBytes);
  return number[0]! - 32;
}
