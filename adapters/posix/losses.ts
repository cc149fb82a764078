/** What the kernel has dropped of a datagram socket whose queue was full, and which socket that is. */
import type { Losses } from "../../runtime/core/contract.ts";
import type { Libc } from "./libc.ts";
import { SO_COOKIE, SO_MEMINFO, SOL_SOCKET } from "./linux.ts";

/** SK_MEMINFO_VARS of linux/sock_diag.h, of which the last is SK_MEMINFO_DROPS. */
const VARS = 9;

const memory = new Uint32Array(new ArrayBuffer(4 * VARS));
const memoryBytes = new Uint8Array(memory.buffer);
const cookie = new BigUint64Array(new ArrayBuffer(8));
const cookieBytes = new Uint8Array(cookie.buffer);

/** See {@link DatagramSocket.losses}; undefined where the kernel does not say. */
export function lossesOf(libc: Libc, fd: number): Losses | undefined {
  if (libc.getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memoryBytes) < 4 * VARS) return undefined;
  if (libc.getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookieBytes) < 8) return undefined;
  return { socket: String(cookie[0]), count: memory[VARS - 1]! };
}
