/**
 * What is too large for a Unix datagram, as the descriptor of a file in memory that nobody can change
 * any more: memfd_create(2), and SCM_RIGHTS of unix(7) with an empty datagram.
 */
import { isFull, sendFailure } from "../errno.ts";
import type { Libc } from "./libc.ts";
import { errnoName, F_ADD_SEALS, F_SEAL_ALL, MSG_DONTWAIT, MSG_NOSIGNAL } from "./linux.ts";
import {
  CONTROL,
  CONTROL_SIZE,
  CONTROL_SPACE,
  IOVEC_SIZE,
  MessageHeaders,
  NAME_SIZE,
  writeAddress,
  writeRights,
} from "./message-headers.ts";
import type { EncodedAddress } from "./sockaddr.ts";

/** There is no descriptor or memory for a file now. */
const NO_FILE: ReadonlySet<string> = new Set(["EINTR", "EMFILE", "ENFILE", "ENOMEM"]);

/** Sends such files to one peer. */
export class MemfdSender {
  readonly #libc: Libc;
  readonly #peer: EncodedAddress;
  readonly #message: MessageHeaders;
  readonly #control = new Int32Array(new ArrayBuffer(CONTROL_SPACE));

  constructor(libc: Libc, peer: EncodedAddress) {
    this.#libc = libc;
    this.#peer = peer;
    this.#message = new MessageHeaders(libc, 1);
    const { headers, names, iovecs } = this.#message;
    names.set(peer.words.subarray(0, (peer.size + 3) >> 2));
    headers[NAME_SIZE] = peer.size;
    iovecs[IOVEC_SIZE] = 0;
    writeAddress(headers, CONTROL, libc.address(new Uint8Array(this.#control.buffer)));
    headers[CONTROL_SIZE] = CONTROL_SPACE;
  }

  /** See {@link DialedSocket.offerSealed}. */
  offer(socket: number, bytes: Uint8Array): boolean {
    const code = this.#send(socket, bytes);
    if (code >= 0) return true;
    if (isFull(-code) || NO_FILE.has(errnoName(-code))) return false;
    throw sendFailure(-code, this.#peer);
  }

  /** Not negative when it has gone out; else an errno, negated. */
  #send(socket: number, bytes: Uint8Array): number {
    const file = this.#libc.memfdCreate();
    if (file < 0) return file;
    try {
      for (let at = 0; at < bytes.length;) {
        const count = this.#libc.write(file, bytes.subarray(at));
        if (count < 0) return count;
        at += count;
      }
      const code = this.#libc.fcntl(file, F_ADD_SEALS, F_SEAL_ALL);
      if (code < 0) return code;
      writeRights(this.#control, file);
      const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
      return this.#libc.sendmmsg(socket, this.#message.pointers[0]!, 1, flags);
    } finally {
      this.#libc.close(file);
    }
  }
}
