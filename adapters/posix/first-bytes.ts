/** The first bytes of a connection, looked at and left where they are: whoever reads it has them still. */
import { callFailure } from "../errno.ts";
import type { Libc } from "./libc.ts";
import { EAGAIN, EINTR, MSG_DONTWAIT, MSG_PEEK } from "./linux.ts";

/** See {@link Descriptors.peek}. */
export function peek(libc: Libc, fd: number, bytes: Uint8Array): number {
  return receive(libc, fd, bytes, MSG_PEEK | MSG_DONTWAIT);
}

const dropped = new Uint8Array(new ArrayBuffer(4096));
/** The part of it that was used last: the headers of one balancer have one length. */
let part = dropped;

/** See {@link Descriptors.skip}. */
export function skip(libc: Libc, fd: number, length: number): void {
  for (let left = length; left > 0;) {
    const most = Math.min(left, dropped.length);
    if (part.length !== most) part = dropped.subarray(0, most);
    const taken = receive(libc, fd, part, MSG_DONTWAIT);
    if (taken <= 0) {
      throw callFailure(`descriptor ${fd} has ${left} bytes less than were seen`, EAGAIN);
    }
    left -= taken;
  }
}

function receive(libc: Libc, fd: number, bytes: Uint8Array, flags: number): number {
  for (;;) {
    const code = libc.recv(fd, bytes, flags);
    if (code >= 0) return code;
    if (code === -EAGAIN) return -1;
    if (code !== -EINTR) throw callFailure(`descriptor ${fd} cannot be read`, -code);
  }
}
