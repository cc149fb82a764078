/**
 * The address that a datagram was sent to, of a socket that is bound to every address of the machine:
 * IP_PKTINFO of ip(7), IPV6_PKTINFO of ipv6(7). What is answered leaves from it: a peer that has
 * connected its socket hears nobody else.
 */
import { Address, isWildcard } from "../../runtime/core/endpoint.ts";
import type { Libc } from "./libc.ts";
import {
  AF_INET,
  AF_INET6,
  IP_PKTINFO,
  IPV6_FREEBIND,
  IPV6_PKTINFO,
  IPV6_RECVPKTINFO,
  SOL_IP,
  SOL_IPV6,
} from "./linux.ts";
import { encode, NAME_BYTES, readName } from "./sockaddr.ts";

/** Room for what the kernel says of one datagram: of an IPv4 one, an IPv6 socket is told in both forms. */
export const PACKET_INFO_BYTES = 80;
// struct cmsghdr on LP64, in words: cmsg_len 0 (64 bits), cmsg_level 2, cmsg_type 3, the data 4.
const HEAD_BYTES = 16;
const LEVEL = 2;
const TYPE = 3;
const DATA = 4;
// struct in_pktinfo: ipi_ifindex 0, ipi_spec_dst 1, ipi_addr 2. The second is the address of ours
// that a broadcast or a multicast datagram is answered from, and else the one that was asked.
const V4_BYTES = 12;
const SPEC_DST = 1;
const ADDR = 2;
// struct in6_pktinfo: ipi6_addr 0, ipi6_ifindex 4.
const V6_BYTES = 20;
const IFINDEX = 4;

/** Addresses of ours that are remembered; one that is forgotten is made anew. */
const SLOTS = 64;

/** An address of ours, with the control message that has a datagram leave from it, as words. */
export class LocalAddress extends Address {
  readonly control: Int32Array;

  constructor({ transport, host, port, path }: Address, control: Int32Array) {
    super(transport, host, port, path);
    this.control = control;
  }
}

/**
 * Has the kernel tell of a socket. Best before bind(2): of what is in the queue already it knows less.
 *
 * @returns false where it does not.
 */
export function askPacketInfo(libc: Libc, fd: number, family: number): boolean {
  const on = new Uint8Array(new ArrayBuffer(4));
  on[0] = 1;
  // What comes to an IPv6 socket by IPv4; one of IPv6 alone may refuse it, and needs it not.
  const four = libc.setsockopt(fd, SOL_IP, IP_PKTINFO, on);
  if (family !== AF_INET6) return family === AF_INET && four >= 0;
  // Of a whole network that is routed here (`ip route add local`) each address can be answered from.
  libc.setsockopt(fd, SOL_IPV6, IPV6_FREEBIND, on);
  return libc.setsockopt(fd, SOL_IPV6, IPV6_RECVPKTINFO, on) >= 0;
}

/** The addresses that one socket is asked at. The same one is the same object. */
export class LocalAddresses {
  readonly #family: number;
  readonly #port: number;
  /** Direct-mapped, as {@link AddressInterner}. */
  readonly #slots: (LocalAddress | undefined)[] = new Array(SLOTS).fill(undefined);
  /** Of addresses that others have made. */
  readonly #resolved = new WeakMap<Address, LocalAddress>();
  readonly #key = new Int32Array(5);

  private constructor(family: number, port: number) {
    this.#family = family;
    this.#port = port;
  }

  /** Has the kernel tell; undefined for a socket that has one address only, or where it does not. */
  static of(
    libc: Libc,
    fd: number,
    family: number,
    { host, port }: Address,
  ): LocalAddresses | undefined {
    if (!isWildcard(host) || !askPacketInfo(libc, fd, family)) return undefined;
    return new LocalAddresses(family, port);
  }

  /**
   * The address in the control messages, `size` bytes from word `at` on; undefined where there is none
   * that could be answered from: of a multicast datagram over IPv6.
   */
  find(words: Int32Array, at: number, size: number): LocalAddress | undefined {
    const end = at + (size >> 2);
    let six = -1;
    while (at + DATA < end && words[at]! >= HEAD_BYTES) {
      const level = words[at + LEVEL];
      if (level === SOL_IP && words[at + TYPE] === IP_PKTINFO) {
        return this.#four(words[at + DATA + SPEC_DST]! || unicast(words[at + DATA + ADDR]!));
      }
      if (level === SOL_IPV6 && words[at + TYPE] === IPV6_PKTINFO) six = at + DATA;
      at += (words[at]! + 7 >> 3) << 1;
    }
    return six < 0 ? undefined : this.#six(words, six, words[six + IFINDEX]!);
  }

  /** An address that was made elsewhere: by a worker, by a runtime. */
  resolve(address: Address): LocalAddress | undefined {
    if (address instanceof LocalAddress) return address;
    let known = this.#resolved.get(address);
    if (known !== undefined || isWildcard(address.host)) return known;
    const words = encode(address, this.#family)?.words;
    if (words === undefined) return undefined;
    known = this.#family === AF_INET ? this.#four(words[1]!) : this.#six(words, 2, words[6]!);
    if (known !== undefined) this.#resolved.set(address, known);
    return known;
  }

  #four(host: number): LocalAddress | undefined {
    if (host === 0) return undefined;
    const key = this.#key;
    key.fill(0);
    key[3] = host;
    return this.#intern(true);
  }

  #six(words: Int32Array, at: number, zone: number): LocalAddress | undefined {
    const first = words[at]!;
    if ((first & 0xff) === 0xff) return undefined;
    // ::ffff:0:0/96
    const mapped = first === 0 && words[at + 1] === 0 && words[at + 2] === -65536;
    if (mapped) return this.#four(words[at + 3]!);
    const key = this.#key;
    for (let i = 0; i < 4; i++) key[i] = words[at + i]!;
    // Only fe80::/10 means something else on each interface; the others may be answered by any.
    key[4] = (first & 0xc0ff) === 0x80fe ? zone : 0;
    return this.#intern(false);
  }

  /** The one of {@link #key}: four words of an address, IPv4 in the last of them, and a zone. */
  #intern(four: boolean): LocalAddress {
    const key = this.#key;
    let hash = four ? 4 : 6;
    for (let i = 0; i < 5; i++) hash = Math.imul(hash ^ key[i]!, 0x9e3779b1);
    const slot = (hash ^ hash >>> 15) & (SLOTS - 1);
    const known = this.#slots[slot];
    if (known !== undefined && isFor(known.control, key, four)) return known;
    const control = four ? controlOfFour(key[3]!) : controlOfSix(key);
    return this.#slots[slot] = new LocalAddress(this.#addressOf(four), control);
  }

  #addressOf(four: boolean): Address {
    const key = this.#key;
    const bytes = new Uint8Array(new ArrayBuffer(NAME_BYTES));
    const words = new Int32Array(bytes.buffer);
    words[0] = four ? AF_INET : AF_INET6;
    bytes[2] = this.#port >> 8;
    bytes[3] = this.#port & 255;
    if (four) words[1] = key[3]!;
    else words.set(key, 2);
    return readName(bytes, four ? 16 : 28);
  }
}

/**
 * Where a datagram was sent to that had come before the kernel was asked to tell: then it does not say
 * what to answer from. 0 for a group or for all.
 */
function unicast(host: number): number {
  return (host & 0xff) >= 224 ? 0 : host;
}

function isFor(control: Int32Array, key: Int32Array, four: boolean): boolean {
  if (four) return control[LEVEL] === SOL_IP && control[DATA + SPEC_DST] === key[3];
  if (control[LEVEL] !== SOL_IPV6) return false;
  for (let i = 0; i < 5; i++) if (control[DATA + i] !== key[i]) return false;
  return true;
}

function controlOfFour(host: number): Int32Array {
  const control = new Int32Array((HEAD_BYTES + V4_BYTES + 4) / 4);
  control[0] = HEAD_BYTES + V4_BYTES;
  control[LEVEL] = SOL_IP;
  control[TYPE] = IP_PKTINFO;
  control[DATA + SPEC_DST] = host;
  return control;
}

function controlOfSix(key: Int32Array): Int32Array {
  const control = new Int32Array((HEAD_BYTES + V6_BYTES + 4) / 4);
  control[0] = HEAD_BYTES + V6_BYTES;
  control[LEVEL] = SOL_IPV6;
  control[TYPE] = IPV6_PKTINFO;
  control.set(key, DATA);
  return control;
}
