/**
 * Connections of descriptors, and descriptors along a socketpair(2): SCM_RIGHTS of unix(7), one with each tag of four bytes. A tag is
 * never read together with the next one, so what comes with it is always that tag's.
 */
import type { StreamTable } from "../../runtime/core/contract.ts";
import type { Origin, Passing } from "../../runtime/core/descriptors.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { callFailure, isDisconnected, isFull } from "../errno.ts";
import type { Libc } from "./libc.ts";
import {
  EAGAIN,
  EINTR,
  EMFILE,
  F_GETFL,
  F_SETFL,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  O_NONBLOCK,
  SO_TYPE,
  SOCK_STREAM,
  SOL_SOCKET,
} from "./linux.ts";
import {
  CONTROL,
  CONTROL_DATA,
  CONTROL_SIZE,
  CONTROL_SPACE,
  FLAGS,
  IOVEC_SIZE,
  LENGTH,
  MessageHeaders,
  RIGHTS_BYTES,
  writeAddress,
  writeRights,
} from "./message-headers.ts";
import { leavesRoom } from "./open-files.ts";

/**
 * Makes a connection of a connected stream socket, the runtime's way, and opens it; see
 * {@link Descriptors.adopt}.
 *
 * @throws what the runtime throws; the descriptor is the caller's then.
 */
export type Adopt = (
  libc: Libc,
  fd: number,
  origin: Origin,
  table: StreamTable,
  data: unknown,
) => void | Promise<void>;

const word = new Int32Array(new ArrayBuffer(4));
const wordBytes = new Uint8Array(word.buffer);

/** What a worker does with descriptors: see {@link Passing}. */
export function makePassing(libc: Libc, adopt: Adopt): Passing {
  const passing = new DescriptorPassing(libc);
  return {
    async adopt(fd, origin, table, data) {
      let cause: unknown;
      try {
        // Some runtimes take any descriptor.
        if (libc.getsockopt(fd, SOL_SOCKET, SO_TYPE, wordBytes) >= 0 && word[0] === SOCK_STREAM) {
          return await adopt(libc, fd, origin, table, data);
        }
      } catch (error) {
        cause = error;
      }
      libc.close(fd);
      const text = `descriptor ${fd} is no connected stream socket`;
      throw new PorticoError("NOT_SUPPORTED", text, cause === undefined ? {} : { cause });
    },
    pair() {
      const made = libc.socketpair();
      if (made[0] < 0) throw callFailure("no pair of sockets can be made", -made[0]);
      return made;
    },
    pass: (along, fd, tag) => passing.pass(along, fd, tag),
    take: (from, wait, tag) => passing.take(from, wait, tag),
    send: (fd, bytes) => passing.send(fd, bytes),
    silence(fd) {
      const nothing = libc.openNull();
      const code = nothing < 0 ? nothing : libc.dup3(nothing, fd, 0);
      if (nothing >= 0) libc.close(nothing);
      if (code < 0) throw callFailure(`descriptor ${fd} cannot become /dev/null`, -code);
    },
    duplicate: (fd) => duplicate(libc, fd),
    close: (fd) => void libc.close(fd),
  };
}

/** Another descriptor for a socket. @throws PorticoError EMFILE; NOT_SUPPORTED when it is closed. */
export function duplicate(libc: Libc, fd: number): number {
  const made = libc.dup(fd);
  if (made < 0) throw callFailure(`descriptor ${fd} cannot be duplicated`, -made);
  return made;
}

/** Bytes of a tag. */
const TAG_BYTES = 4;

/** One message with room for one descriptor, and one for bytes alone. */
export class DescriptorPassing {
  readonly #libc: Libc;
  readonly #plain: MessageHeaders;
  readonly #vector: MessageHeaders;
  readonly #control = new Int32Array(new ArrayBuffer(CONTROL_SPACE));
  readonly #tag = new Uint32Array(new ArrayBuffer(8));

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#plain = new MessageHeaders(libc, 1);
    this.#plain.headers.fill(0, 0, 3);
    this.#vector = new MessageHeaders(libc, 1);
    const { headers, iovecs } = this.#vector;
    // A connected socket has no use for names.
    headers.fill(0, 0, 3);
    writeAddress(iovecs, 0, libc.address(new Uint8Array(this.#tag.buffer)));
    iovecs[IOVEC_SIZE] = TAG_BYTES;
    writeAddress(headers, CONTROL, libc.address(new Uint8Array(this.#control.buffer)));
  }

  /** See {@link Descriptors.send}. */
  send(fd: number, bytes: Uint8Array): number {
    const { headers, iovecs, pointers } = this.#plain;
    writeAddress(iovecs, 0, this.#libc.address(bytes));
    iovecs[IOVEC_SIZE] = bytes.length;
    for (;;) {
      const count = this.#libc.sendmmsg(fd, pointers[0]!, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count === 1) return headers[LENGTH]!;
      if (count === -EINTR) continue;
      if (isFull(-count)) return 0;
      if (isDisconnected(-count)) throw ended("nobody is left to read");
      throw callFailure(`nothing can be sent along ${fd}`, -count);
    }
  }

  /** See {@link Descriptors.pass}. */
  pass(along: number, fd: number, tag = 0): boolean {
    writeRights(this.#control, fd);
    this.#tag[0] = tag;
    this.#vector.headers[CONTROL_SIZE] = CONTROL_SPACE;
    for (;;) {
      const sent = this.#libc.sendmmsg(along, this.#at, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent === 1) return true;
      if (sent === -EINTR) continue;
      if (isFull(-sent)) return false;
      if (isDisconnected(-sent)) throw ended("nobody is left to take a descriptor");
      throw callFailure(`descriptor ${fd} cannot be passed along ${along}`, -sent);
    }
  }

  /** See {@link Descriptors.take}. */
  take(from: number, wait = false, tag = 0): number {
    for (;;) {
      this.#requireFree(from);
      const { headers } = this.#vector;
      headers[CONTROL_SIZE] = CONTROL_SPACE;
      this.#control.fill(0);
      this.#tag[0] = 0;
      const count = this.#libc.recvmmsg(from, this.#at, 1, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
      if (count === -EAGAIN && wait) this.#libc.waitReadable(from);
      else if (count === -EAGAIN) return -1;
      else if (count < 0 && count !== -EINTR) {
        if (isDisconnected(-count)) throw ended("nobody is left to pass a descriptor");
        throw callFailure(`no descriptor can be taken from ${from}`, -count);
      } else if (count > 0) {
        if (headers[LENGTH] === 0) throw ended("nobody is left to pass a descriptor");
        const lost = (headers[FLAGS]! & MSG_CTRUNC) !== 0;
        // Bytes without a descriptor are nobody's of ours.
        if (headers[CONTROL_SIZE]! >= RIGHTS_BYTES) return this.#received(tag);
        if (lost) throw new PorticoError("CONTROL_FAILED", "a descriptor was lost on its way");
      }
    }
  }

  get #at() {
    return this.#vector.pointers[0]!;
  }

  #received(tag: number): number {
    const fd = this.#control[CONTROL_DATA]!;
    if (this.#tag[0] !== tag >>> 0) {
      this.#libc.close(fd);
      const text = `a descriptor with the tag ${this.#tag[0]} has come: ${tag} was due`;
      throw new PorticoError("CONTROL_FAILED", text);
    }
    const flags = this.#libc.fcntl(fd, F_GETFL, 0);
    if ((flags & O_NONBLOCK) === 0) this.#libc.fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    return fd;
  }

  /** The kernel drops the descriptor of a message when there is no number for it: so there has to be one before it is read. */
  #requireFree(from: number): void {
    const free = this.#libc.dup(from);
    if (free >= 0) this.#libc.close(free);
    if (free < 0 || !leavesRoom(free)) {
      throw callFailure("a descriptor that was passed cannot be taken", free < 0 ? -free : EMFILE);
    }
  }
}

function ended(text: string): PorticoError {
  return new PorticoError("EPIPE", text, { side: "host" });
}
