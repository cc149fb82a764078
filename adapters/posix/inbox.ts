/**
 * Receiving with recvmmsg(2) into buffers that all sockets of a thread share: they drain one after
 * the other, and what they deliver is lent until the callback returns. The memory is reserved, and
 * the kernel makes only those pages real that a datagram has touched.
 */
import type { Libc, Pointer } from "./libc.ts";
import { NAME_BYTES, NAME_WORDS } from "./peer.ts";

/** Datagrams received by one call. */
export const BATCH = 32;
/**
 * The largest datagram. UDP carries 65,507 bytes; a Unix socket as much as the sender's SO_SNDBUF,
 * 208 KiB when nobody has raised it.
 */
export const LARGEST: number = 256 * 1024;
/** Buffers that all begin at the same offset of a page fight for the same lines of the cache. */
const STAGGER = 192;

// struct mmsghdr on LP64, in 32-bit words: msg_name 0, msg_namelen 2, msg_iov 4, msg_iovlen 6,
// msg_control 8, msg_controllen 10, msg_flags 12, msg_len 14; 64 bytes.
export const HEADER_WORDS = 16;
const NAME = 0;
export const NAME_SIZE = 2;
const IOV = 4;
const IOV_COUNT = 6;
export const CONTROL = 8;
export const CONTROL_SIZE = 10;
export const FLAGS = 12;
export const LENGTH = 14;
// struct iovec: iov_base 0, iov_len 2; 16 bytes.
export const IOVEC_WORDS = 4;
export const IOVEC_SIZE = 2;

/** Writes a 64-bit address as two words, the lower one first. */
export function writeAddress(words: Int32Array, at: number, address: number): void {
  words[at] = address | 0;
  words[at + 1] = address / 0x1_0000_0000 | 0;
}

/** Headers, names and vectors of `count` messages in one piece of memory. */
export class Headers {
  readonly headers: Int32Array;
  readonly names: Int32Array;
  readonly nameBytes: Uint8Array;
  readonly iovecs: Int32Array;
  /** Where each header is. */
  readonly pointers: readonly Pointer[];

  constructor(libc: Libc, count: number) {
    const namesAt = count * HEADER_WORDS * 4;
    const iovecsAt = namesAt + count * NAME_BYTES;
    const memory = new ArrayBuffer(iovecsAt + count * IOVEC_WORDS * 4);
    this.headers = new Int32Array(memory, 0, count * HEADER_WORDS);
    this.names = new Int32Array(memory, namesAt, count * NAME_WORDS);
    this.nameBytes = new Uint8Array(memory, namesAt, count * NAME_BYTES);
    this.iovecs = new Int32Array(memory, iovecsAt, count * IOVEC_WORDS);
    const base = libc.address(new Uint8Array(memory));
    const pointers: Pointer[] = [];
    for (let i = 0; i < count; i++) {
      const header = i * HEADER_WORDS;
      pointers.push(libc.pointer(base + header * 4));
      writeAddress(this.headers, header + NAME, base + namesAt + i * NAME_BYTES);
      this.headers[header + NAME_SIZE] = NAME_BYTES;
      writeAddress(this.headers, header + IOV, base + iovecsAt + i * IOVEC_WORDS * 4);
      this.headers[header + IOV_COUNT] = 1;
    }
    this.pointers = pointers;
  }
}

/** The receive buffers of a thread. */
export class Inbox {
  readonly #libc: Libc;
  readonly headers: Headers;
  readonly #buffers: ArrayBuffer[] = [];
  /** The last view of each buffer: datagrams of one length share it. */
  readonly #views: Uint8Array[] = [];
  readonly #nothing: Uint8Array = new Uint8Array(0);

  constructor(libc: Libc) {
    this.#libc = libc;
    this.headers = new Headers(libc, BATCH);
    for (let i = 0; i < BATCH; i++) this.#allocate(i);
  }

  #allocate(i: number): void {
    const buffer = new ArrayBuffer(LARGEST + STAGGER * BATCH);
    const view = new Uint8Array(buffer, i * STAGGER, LARGEST);
    const { iovecs } = this.headers;
    writeAddress(iovecs, i * IOVEC_WORDS, this.#libc.address(view));
    iovecs[i * IOVEC_WORDS + IOVEC_SIZE] = LARGEST;
    this.#buffers[i] = buffer;
    this.#views[i] = view;
  }

  /** Fills up to {@link BATCH} slots; their number, or an errno, negated. */
  receive(fd: number, flags: number): number {
    return this.#libc.recvmmsg(fd, this.headers.pointers[0]!, BATCH, flags);
  }

  /** Makes `count` slots ready for the next call: the kernel has written the length of names into them. */
  reset(count: number): void {
    const { headers } = this.headers;
    for (let i = 0; i < count; i++) headers[i * HEADER_WORDS + NAME_SIZE] = NAME_BYTES;
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
