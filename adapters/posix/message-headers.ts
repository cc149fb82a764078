/** The structures that recvmmsg(2) and sendmmsg(2) read and write, on LP64. */
import type { Libc, Pointer } from "./libc.ts";
import { SCM_RIGHTS, SOL_SOCKET } from "./linux.ts";
import { NAME_BYTES, NAME_WORDS } from "./sockaddr.ts";

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

// struct cmsghdr on LP64, in words: cmsg_len 0 (64 bits), cmsg_level 2, cmsg_type 3, the data 4.
/** A control message with one descriptor, or another number of 32 bits, and the room that it takes. */
export const RIGHTS_BYTES = 20;
export const CONTROL_SPACE = 24;
const LEVEL = 2;
const TYPE = 3;
export const CONTROL_DATA = 4;

/** Makes a control message that takes a descriptor along: SCM_RIGHTS of unix(7). */
export function writeRights(control: Int32Array, fd: number): void {
  control[0] = RIGHTS_BYTES;
  control[1] = 0;
  control[LEVEL] = SOL_SOCKET;
  control[TYPE] = SCM_RIGHTS;
  control[CONTROL_DATA] = fd;
}

/** Writes a 64-bit address as two words, the lower one first. */
export function writeAddress(words: Int32Array, at: number, address: number): void {
  words[at] = address | 0;
  words[at + 1] = address / 0x1_0000_0000 | 0;
}

/** Headers, names, vectors and control messages of `count` messages in one piece of memory. */
export class MessageHeaders {
  readonly headers: Int32Array;
  readonly names: Int32Array;
  readonly nameBytes: Uint8Array;
  readonly iovecs: Int32Array;
  /** `controlBytes` for each; how many of them count is in its header, {@link CONTROL_SIZE}. */
  readonly controls: Int32Array;
  /** Where each header is. */
  readonly pointers: readonly Pointer[];

  /** @param controlBytes room for the control messages of each, a multiple of 8. */
  constructor(libc: Libc, count: number, controlBytes = 0) {
    const namesAt = count * HEADER_WORDS * 4;
    const iovecsAt = namesAt + count * NAME_BYTES;
    const controlsAt = iovecsAt + count * IOVEC_WORDS * 4;
    const memory = new ArrayBuffer(controlsAt + count * controlBytes);
    this.headers = new Int32Array(memory, 0, count * HEADER_WORDS);
    this.names = new Int32Array(memory, namesAt, count * NAME_WORDS);
    this.nameBytes = new Uint8Array(memory, namesAt, count * NAME_BYTES);
    this.iovecs = new Int32Array(memory, iovecsAt, count * IOVEC_WORDS);
    this.controls = new Int32Array(memory, controlsAt, count * controlBytes / 4);
    const base = libc.address(new Uint8Array(memory));
    const pointers: Pointer[] = [];
    for (let i = 0; i < count; i++) {
      const header = i * HEADER_WORDS;
      pointers.push(libc.pointer(base + header * 4));
      writeAddress(this.headers, header + NAME, base + namesAt + i * NAME_BYTES);
      this.headers[header + NAME_SIZE] = NAME_BYTES;
      writeAddress(this.headers, header + IOV, base + iovecsAt + i * IOVEC_WORDS * 4);
      this.headers[header + IOV_COUNT] = 1;
      if (controlBytes === 0) continue;
      writeAddress(this.headers, header + CONTROL, base + controlsAt + i * controlBytes);
    }
    this.pointers = pointers;
  }
}
