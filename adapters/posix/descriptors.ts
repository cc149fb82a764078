/** {@link Descriptors} over libc: the same on every runtime, but for the connections themselves. */
import type { DatagramTable } from "../../runtime/core/contract.ts";
import type { Descriptors } from "../../runtime/core/descriptors.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import type { Spawn } from "../../runtime/core/process.ts";
import { callFailure } from "../errno.ts";
import { admit } from "./accepting-listener.ts";
import { BatchSocket } from "./batch-socket.ts";
import { credentials, inspect, traffic } from "./inspect.ts";
import type { Libc } from "./libc.ts";
import { F_GETFL, F_SETFL, O_NONBLOCK, SO_LINGER, SOL_SOCKET } from "./linux.ts";
import { type Adopt, makePassing } from "./passing.ts";
import { Readiness } from "./readiness.ts";
import { peek, skip } from "./first-bytes.ts";
import { removeOrphan } from "./socket-file.ts";

/** A struct linger of socket(7): on, for no time. */
const AT_ONCE = new Uint8Array(new Int32Array([1, 0]).buffer);

/** Puts them together. */
export function makeDescriptors(libc: Libc, adopt: Adopt, spawn: Spawn): Descriptors {
  const readiness = new Readiness(libc);
  return {
    ...makePassing(libc, adopt),
    admit: (endpoint, table, options) => admit(libc, endpoint, table, options),
    sender: (fd, address, table) => senderOf(libc, fd, address, table),
    credentials: (fd) => credentials(libc, fd),
    traffic: (fd) => traffic(libc, fd),
    inspect: (fd) => inspect(libc, fd),
    watchReset: (fd, reset) => readiness.watchReset(fd, reset),
    watchArrivals: (fd, arrived) => readiness.watchArrivals(fd, arrived),
    peek: (fd, bytes) => peek(libc, fd, bytes),
    skip: (fd, length) => skip(libc, fd, length),
    reset(fd) {
      // What cannot be reset is closed all the same.
      libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, AT_ONCE);
      libc.close(fd);
    },
    removeFile: removeOrphan,
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
