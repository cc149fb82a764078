/** {@link Descriptors} over libc: the same on every runtime, but for the connections themselves. */
import type { DatagramSocket, DatagramTable } from "../../runtime/core/contract.ts";
import type { Descriptors } from "../../runtime/core/descriptors.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { admit } from "./admit.ts";
import { BatchSocket, exchangeOf } from "./datagram.ts";
import { callFailure } from "../errno.ts";
import { credentials, inspect } from "./inspect.ts";
import type { Libc } from "./libc.ts";
import { F_GETFL, F_SETFL, SOCK_NONBLOCK } from "./linux.ts";
import { partsOf } from "./open.ts";
import { Passage } from "./passing.ts";
import { duplicate } from "./socket.ts";

/**
 * Puts them together.
 *
 * @param adopt makes a connection of a descriptor, the runtime's way.
 */
export function makeDescriptors(libc: Libc, adopt: Descriptors["adopt"]): Descriptors {
  const passage = new Passage(libc);
  return {
    admit: (endpoint, table, options) => admit(libc, endpoint, table, options),
    adopt,
    sender: (fd, address, table) => senderOf(libc, fd, address, table),
    pair() {
      const made = libc.pair();
      if (made[0] < 0) throw callFailure("no pair of sockets can be made", -made[0]);
      return made;
    },
    pass: (along, fd) => passage.pass(along, fd),
    take: (from, wait) => passage.take(from, wait),
    send: (fd, bytes) => passage.send(fd, bytes),
    replace(target, fd) {
      const code = libc.duplicate(fd, target, 0);
      if (code < 0) throw callFailure(`descriptor ${fd} cannot become ${target}`, -code);
    },
    credentials: (fd) => credentials(libc, fd),
    inspect: (fd) => inspect(libc, fd),
    duplicate: (fd) => duplicate(libc, fd),
    close: (fd) => void libc.close(fd),
    blocking(fd) {
      const flags = libc.control(fd, F_GETFL, 0);
      const code = flags < 0 ? flags : libc.control(fd, F_SETFL, flags & ~SOCK_NONBLOCK);
      if (code < 0) throw callFailure(`descriptor ${fd} cannot be made blocking`, -code);
    },
    setGroups(groups) {
      // Memory that may not move.
      const list = new Uint32Array(new ArrayBuffer(4 * groups.length));
      list.set(groups);
      const code = libc.setGroups(list);
      if (code >= 0) return;
      const text = `setgroups(${groups.join(", ")}): operation not permitted (EPERM)`;
      throw code === -1
        ? new PorticoError("EPERM", text)
        : callFailure(`setgroups(${groups.join(", ")})`, -code);
    },
    limitCpu(seconds) {
      // struct itimerval: it_interval, then it_value, in seconds and microseconds each.
      const code = libc.setTimer(BigInt64Array.of(0n, 0n, BigInt(seconds), 0n));
      if (code < 0) throw callFailure(`no limit of ${seconds} s of CPU time can be set`, -code);
    },
  };
}

/** See {@link Descriptors.sender}. */
export function senderOf(
  libc: Libc,
  fd: number,
  address: Address,
  table: DatagramTable,
): DatagramSocket {
  const own = libc.entrust(fd);
  return new BatchSocket(exchangeOf(libc), table, {
    ...partsOf(libc, own),
    address,
    halt() {},
    release: () => void libc.close(own),
  });
}
