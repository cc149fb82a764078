/** {@link Descriptors} over libc: the same on every runtime, but for the connections themselves. */
import type { DatagramTable, StreamTable } from "../../runtime/core/contract.ts";
import type { Descriptors, Origin } from "../../runtime/core/descriptors.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import type { Spawn } from "../../runtime/core/process.ts";
import { callFailure } from "../errno.ts";
import { admit } from "./accepting-listener.ts";
import { BatchSocket } from "./batch-socket.ts";
import { credentials, inspect, traffic } from "./inspect.ts";
import type { Libc } from "./libc.ts";
import { F_GETFL, F_SETFL, O_NONBLOCK, SO_TYPE, SOCK_STREAM, SOL_SOCKET } from "./linux.ts";
import { DescriptorPassing } from "./passing.ts";
import { Resets } from "./resets.ts";
import { duplicate } from "./socket.ts";
import { removeOrphan } from "./socket-file.ts";

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

/** Puts them together. */
export function makeDescriptors(libc: Libc, adopt: Adopt, spawn: Spawn): Descriptors {
  const passing = new DescriptorPassing(libc);
  const resets = new Resets(libc);
  return {
    admit: (endpoint, table, options) => admit(libc, endpoint, table, options),
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
    sender: (fd, address, table) => senderOf(libc, fd, address, table),
    pair() {
      const made = libc.socketpair();
      if (made[0] < 0) throw callFailure("no pair of sockets can be made", -made[0]);
      return made;
    },
    pass: (along, fd, tag) => passing.pass(along, fd, tag),
    take: (from, wait, tag) => passing.take(from, wait, tag),
    send: (fd, bytes) => passing.send(fd, bytes),
    replace(target, fd) {
      const code = libc.dup3(fd, target, 0);
      if (code < 0) throw callFailure(`descriptor ${fd} cannot become ${target}`, -code);
    },
    credentials: (fd) => credentials(libc, fd),
    traffic: (fd) => traffic(libc, fd),
    inspect: (fd) => inspect(libc, fd),
    watchReset: (fd, reset) => resets.watch(fd, reset),
    removeFile: removeOrphan,
    duplicate: (fd) => duplicate(libc, fd),
    close: (fd) => void libc.close(fd),
    spawn,
    blocking(fd) {
      const flags = libc.fcntl(fd, F_GETFL, 0);
      const code = flags < 0 ? flags : libc.fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
      if (code < 0) throw callFailure(`descriptor ${fd} cannot be made blocking`, -code);
    },
  };
}

/** See {@link Descriptors.sender}. */
export function senderOf(
  libc: Libc,
  fd: number,
  address: Address,
  table: DatagramTable,
): BatchSocket {
  const own = libc.tieToThread(fd);
  return new BatchSocket(libc, table, {
    fd: own,
    address,
    stopWaiting() {},
    release: () => void libc.close(own),
  });
}
