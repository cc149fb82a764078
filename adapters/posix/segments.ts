/**
 * Several UDP datagrams as one message that the kernel cuts: UDP_SEGMENT, "generic segmentation
 * offload", of Linux 4.18 and later. All but the last have one size.
 */
import type { Libc } from "./libc.ts";
import { SOL_UDP, UDP_SEGMENT } from "./linux.ts";

/** Datagrams of one message: UDP_MAX_SEGMENTS of the kernels that had it first. */
const COUNT_MAX = 64;
/** What every link takes whole, IPv6 and its minimum of 1,280 bytes included: a segment is never cut again. */
const SIZE_MAX = 1232;
/** Of a message, with the headers of IP and UDP 65,535. */
const MESSAGE_MAX = 65_000;

// struct cmsghdr on LP64 (cmsg_len, cmsg_level, cmsg_type) and a `uint16_t`, and the room that they take.
const HEAD_BYTES = 16;
export const SEGMENT_CONTROL_BYTES = 24;

/** EIO, EINVAL, EMSGSIZE, ENOPROTOOPT, EOPNOTSUPP: the message cannot be cut on its way; its datagrams may be sent alone. */
const REFUSALS: ReadonlySet<number> = new Set([5, 22, 90, 92, 95]);

const value = new Uint8Array(new ArrayBuffer(4));

/** Whether the kernel can do that for a UDP socket. */
export function hasSegments(libc: Libc, fd: number): boolean {
  return libc.getsockopt(fd, SOL_UDP, UDP_SEGMENT, value) >= 0;
}

/** Whether a datagram may follow `count` others of `segment` bytes each in a message of `total`. */
export function joins(size: number, segment: number, count: number, total: number): boolean {
  return size <= segment && segment <= SIZE_MAX && size > 0 && count < COUNT_MAX &&
    total === count * segment && total + size <= MESSAGE_MAX;
}

/** Writes the control message at word `at`. */
export function writeSegment(control: Int32Array, at: number, segment: number): void {
  control[at] = HEAD_BYTES + 2;
  control[at + 1] = 0;
  control[at + 2] = SOL_UDP;
  control[at + 3] = UDP_SEGMENT;
  control[at + 4] = segment;
}

/** Whether an errno is about the cutting. */
export function refusesSegments(errno: number): boolean {
  return REFUSALS.has(errno);
}
