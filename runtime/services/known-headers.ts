/** Headers of datagrams that were read before: a client that says more is not read of anew, nor made again. */
import type { Address } from "../core/endpoint.ts";
import type { Told } from "../core/prologue/via.ts";

/** How many are known; a power of two. */
const SLOTS = 1024;
/** Bytes of a header that is remembered: with addresses of IPv6, a checksum and a little more. */
const MOST = 64;
/** Where what differs begins: before is the signature, and what says that it is one. */
const FROM = 12;

interface Known {
  readonly from: Told;
  readonly told: Told;
}

/**
 * Each header has one place, by its hash, and is forgotten for the next one that has the same: whoever makes them
 * collide has been trusted with more.
 */
export class KnownHeaders {
  /** What {@link find} has found, or {@link add} was given last. */
  remote!: Address;
  local!: Address;
  readonly #bytes = new Uint8Array(SLOTS * MOST);
  readonly #known: (Known | undefined)[] = [];

  /** Bytes of the header that a datagram begins with; 0 when it is not known. */
  find(bytes: Uint8Array, from: Address, to: Address): number {
    const length = lengthOf(bytes);
    if (length > MOST || length > bytes.length) return 0;
    const slot = hash(bytes, length);
    const known = this.#known[slot];
    if (known === undefined || known.from.remote !== from || known.from.local !== to) return 0;
    const own = this.#bytes;
    const start = slot * MOST;
    for (let at = FROM; at < length; at++) if (own[start + at] !== bytes[at]) return 0;
    this.remote = known.told.remote;
    this.local = known.told.local;
    return length;
  }

  /** @param length of the header that was read of it. */
  add(bytes: Uint8Array, length: number, from: Told, told: Told): void {
    this.remote = told.remote;
    this.local = told.local;
    if (length > MOST) return;
    const slot = hash(bytes, length);
    this.#bytes.set(bytes.subarray(0, length), slot * MOST);
    this.#known[slot] = { from, told };
  }
}

function lengthOf(bytes: Uint8Array): number {
  return 16 + (bytes[14]! << 8 | bytes[15]!);
}

/** FNV-1a of what differs between headers. */
function hash(bytes: Uint8Array, length: number): number {
  let sum = 0x811c9dc5;
  for (let at = FROM; at < length; at++) sum = Math.imul(sum ^ bytes[at]!, 0x01000193);
  return (sum ^ sum >>> 16) & (SLOTS - 1);
}
