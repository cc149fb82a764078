/**
 * Receiving with recvmmsg(2) into buffers that all sockets of a thread share: they drain one after
 * the other, and what they deliver is lent until the callback returns. The memory is reserved, and
 * the kernel makes only those pages real that a datagram has touched.
 */
import type { Libc } from "./libc.ts";
import {
  CONTROL_SIZE,
  HEADER_WORDS,
  IOVEC_SIZE,
  IOVEC_WORDS,
  MessageHeaders,
  NAME_SIZE,
  writeAddress,
} from "./message-headers.ts";
import { PACKET_INFO_BYTES } from "./packet-info.ts";
import { NAME_BYTES } from "./sockaddr.ts";

/** Datagrams received by one call, at most. */
export const BATCH = 32;
/**
 * The largest datagram. UDP carries 65,507 bytes; a Unix socket as much as the sender's SO_SNDBUF,
 * 208 KiB when nobody has raised it.
 */
export const DATAGRAM_MAX: number = 256 * 1024;
/** Buffers that all begin at the same offset of a page fight for the same lines of the cache. */
const STAGGER = 192;

/** The receive buffers of a thread. */
export class ReceiveBatch {
  readonly #libc: Libc;
  readonly headers: MessageHeaders;
  readonly #buffers: ArrayBuffer[] = [];
  /** The last view of each buffer: datagrams of one length share it. */
  readonly #views: Uint8Array[] = [];
  readonly #nothing: Uint8Array = new Uint8Array(0);

  constructor(libc: Libc) {
    this.#libc = libc;
    this.headers = new MessageHeaders(libc, BATCH, PACKET_INFO_BYTES);
    this.reset(BATCH);
    for (let i = 0; i < BATCH; i++) this.#allocate(i);
  }

  #allocate(i: number): void {
    const buffer = new ArrayBuffer(DATAGRAM_MAX + STAGGER * BATCH);
    const view = new Uint8Array(buffer, i * STAGGER, DATAGRAM_MAX);
    const { iovecs } = this.headers;
    writeAddress(iovecs, i * IOVEC_WORDS, this.#libc.address(view));
    iovecs[i * IOVEC_WORDS + IOVEC_SIZE] = DATAGRAM_MAX;
    this.#buffers[i] = buffer;
    this.#views[i] = view;
  }

  /** Fills up to `size` of {@link BATCH} slots; their number, or an errno, negated. */
  receive(fd: number, size: number, flags: number): number {
    return this.#libc.recvmmsg(fd, this.headers.pointers[0]!, size, flags);
  }

  /** Makes `count` slots ready for the next call: the kernel has written into them how long names and control messages are. */
  reset(count: number): void {
    const { headers } = this.headers;
    for (let i = 0; i < count; i++) {
      headers[i * HEADER_WORDS + NAME_SIZE] = NAME_BYTES;
      headers[i * HEADER_WORDS + CONTROL_SIZE] = PACKET_INFO_BYTES;
    }
  }

  /** The datagram of `size` bytes in slot `i`. */
  view(i: number, size: number): Uint8Array {
    const known = this.#views[i]!;
    if (known.length === size) return known;
    if (size === 0) return this.#nothing;
    return this.#views[i] = new Uint8Array(this.#buffers[i]!, i * STAGGER, size);
  }

  /**
   * To be called when a callback has returned: one that has transferred the buffer it was lent has
   * taken memory that the kernel would go on writing to.
   */
  check(i: number, size: number): void {
    if (size !== 0 && this.#views[i]!.length !== size) this.#allocate(i);
  }
}
