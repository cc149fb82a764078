/**
 * Addresses with the kernel's own form beside them, and their interning: the same sender gives the
 * same object, so that a datagram costs no allocation and an answer no parsing.
 */
import { Address, isIPv4, normalizeHost } from "../../runtime/core/endpoint.ts";
import { readIPv6, writeIPv6, zoneIndex, zoneName } from "./ip.ts";
import { AF_INET, AF_INET6, AF_UNIX } from "./linux.ts";

/** Room for any sockaddr that we meet: `sockaddr_un` with 110 bytes is the longest. */
export const NAME_BYTES = 128;
export const NAME_WORDS: number = NAME_BYTES / 4;

/** An {@link Address} with its sockaddr, as 32-bit words of which `size` bytes count. */
export class EncodedAddress extends Address {
  readonly family: number;
  readonly words: Int32Array;
  /** In bytes; 0 for a sender without a name. */
  readonly size: number;

  constructor(address: Address, family: number, words: Int32Array, size: number) {
    super(address.transport, address.host, address.port, address.path);
    this.family = family;
    this.words = words;
    this.size = size;
  }
}

/** A Unix socket that never was bound: nobody can answer it. */
export const UNNAMED: EncodedAddress = new EncodedAddress(
  new Address("unixgram", "", 0, ""),
  AF_UNIX,
  new Int32Array(0),
  0,
);

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Reads the sockaddr of `size` bytes at `offset`. */
function decode(bytes: Uint8Array, offset: number, size: number): Address {
  const family = bytes[offset]! | bytes[offset + 1]! << 8;
  if (family === AF_UNIX) {
    const abstract = bytes[offset + 2] === 0;
    const start = offset + (abstract ? 3 : 2);
    let end = offset + size;
    // The size of a path counts its closing NUL; an abstract name may hold any byte.
    if (!abstract) { while (end > start && bytes[end - 1] === 0) end--; }
    const path = decoder.decode(bytes.subarray(start, end));
    return new Address("unixgram", "", 0, abstract ? `@${path}` : path);
  }
  const port = bytes[offset + 2]! << 8 | bytes[offset + 3]!;
  if (family === AF_INET) {
    const host = bytes.subarray(offset + 4, offset + 8).join(".");
    return new Address("udp", host, port, "");
  }
  let mapped = true;
  for (let i = 8; i < 20 && mapped; i++) mapped = bytes[offset + i] === (i < 18 ? 0 : 255);
  if (mapped) {
    const host = bytes.subarray(offset + 20, offset + 24).join(".");
    return new Address("udp", host, port, "");
  }
  const scope = new Int32Array(bytes.slice(offset + 24, offset + 28).buffer)[0]!;
  const zone = scope === 0 ? "" : `%${zoneName(scope)}`;
  return new Address("udp", readIPv6(bytes, offset + 8) + zone, port, "");
}

/**
 * The sockaddr of an address for a socket of this family. Undefined when a socket of this family
 * cannot name it: an IPv6 address for an IPv4 socket, a host name, a path that is too long.
 */
export function encode(address: Address, family: number): EncodedAddress | undefined {
  const bytes = new Uint8Array(new ArrayBuffer(NAME_BYTES));
  const words = new Int32Array(bytes.buffer);
  words[0] = family;
  if (family === AF_UNIX) {
    if (address.host !== "" || address.path === "") return undefined;
    const path = encoder.encode(address.path);
    if (path.length > 107) return undefined;
    bytes.set(path, 2);
    const abstract = address.path.startsWith("@");
    if (abstract) bytes[2] = 0;
    return new EncodedAddress(address, family, words, 2 + path.length + (abstract ? 0 : 1));
  }
  bytes[2] = address.port >> 8;
  bytes[3] = address.port & 255;
  const host = normalizeHost(address.host);
  if (isIPv4(host)) {
    const at = family === AF_INET ? 4 : 20;
    const parts = host.split(".");
    for (let i = 0; i < 4; i++) bytes[at + i] = Number(parts[i]);
    if (family === AF_INET) return new EncodedAddress(address, family, words, 16);
    bytes[18] = bytes[19] = 255;
    return new EncodedAddress(address, family, words, 28);
  }
  if (family !== AF_INET6) return undefined;
  const [plain, zone] = host.split("%") as [string, string?];
  if (!writeIPv6(plain, bytes, 8)) return undefined;
  if (zone !== undefined) words[6] = zoneIndex(zone);
  return new EncodedAddress(address, family, words, 28);
}

const SLOTS = 4096;

/**
 * A direct-mapped cache: a peer has one place, and the one that is there gives way. So it is bounded
 * without counting or ageing, and a look-up compares a few words.
 */
export class AddressInterner {
  readonly #slots: (EncodedAddress | undefined)[] = new Array(SLOTS).fill(undefined);

  /** The peer whose sockaddr of `size` bytes begins at word `at`; `bytes` is the same memory. */
  find(words: Int32Array, bytes: Uint8Array, at: number, size: number): EncodedAddress {
    if (size <= 2) return UNNAMED;
    const whole = size >> 2;
    const rest = size & 3;
    // What follows the name in its last word is left over from an earlier one.
    if (rest !== 0) words[at + whole]! &= (1 << (rest << 3)) - 1;
    const count = rest === 0 ? whole : whole + 1;
    let hash = size;
    for (let i = 0; i < count; i++) hash = Math.imul(hash ^ words[at + i]!, 0x9e3779b1);
    const slot = (hash ^ hash >>> 15) & (SLOTS - 1);
    const known = this.#slots[slot];
    if (known !== undefined && known.size === size) {
      const theirs = known.words;
      let i = 0;
      while (i < count && theirs[i] === words[at + i]) i++;
      if (i === count) return known;
    }
    const copy = words.slice(at, at + count);
    const made = new EncodedAddress(decode(bytes, at * 4, size), words[at]! & 0xffff, copy, size);
    this.#slots[slot] = made;
    return made;
  }
}

/** Reads a sockaddr once, without interning. */
export function readName(bytes: Uint8Array, size: number): Address {
  return size <= 2 ? UNNAMED : decode(bytes, 0, size);
}

/** Reads the sockaddr of a stream socket. */
export function readStreamName(bytes: Uint8Array, size: number): Address {
  const { host, path, port, transport } = readName(bytes, size);
  return new Address(transport === "udp" ? "tcp" : "unix", host, port, path);
}
