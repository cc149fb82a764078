/** Whom a ban is about, as one name: an address, a prefix of addresses, or a user of this machine. */
import type { Clock } from "../../core/clock.ts";
import type { SourcePrefixes } from "../../core/access/source.ts";
import { type Address, KnownPeer } from "../../core/endpoint.ts";
import { type Family, readIp } from "../../core/ip.ts";

/** Addresses that begin with the same bits, as numbers; or a user. */
export interface Network {
  /** 0 of a user. */
  readonly family: Family;
  /** Bits of the prefix. */
  readonly length: number;
  /** What {@link keyOf} makes of each of its addresses; the number of the user. */
  readonly key: string | number;
  /** `192.0.2.7`, `192.0.2.0/24`, `2001:db8:1:2::/64`, `uid:1000`. */
  readonly text: string;
}

/** What can be named as {@link Network}, in words. */
export const NETWORKS = "an address, ADDRESS/PREFIX or uid:N, as 192.0.2.7, 2001:db8::/64";

const words = new Uint32Array(4);

/** The bits of a word that a prefix of so many bits has of it. */
function maskOf(length: number): number {
  return length >= 32 ? -1 : length <= 0 ? 0 : -1 << 32 - length;
}

/** The key of the address in `from`, among those of prefixes of this length: a small number for IPv4. */
export function keyOf(family: 4 | 6, from: Uint32Array, length: number): string | number {
  if (family === 4) return from[0]! & maskOf(length);
  let key = "";
  for (let word = 0, left = length; left > 0; word++, left -= 32) {
    key += `${((from[word]! & maskOf(left)) >>> 0).toString(36)}:`;
  }
  return key;
}

/** The source that a peer comes from; undefined for one that nobody can tell from others. */
export function networkOf(remote: Address, { ipv4, ipv6 }: SourcePrefixes): Network | undefined {
  const { host } = remote;
  if (host === "") return remote instanceof KnownPeer ? user(remote.credentials.uid) : undefined;
  const family = readIp(host, words);
  return family === 0 ? undefined : network(family, family === 4 ? ipv4 : ipv6);
}

/** @throws SyntaxError that says what would be right. */
export function parseNetwork(text: string): Network {
  const uid = /^uid:(\d{1,10})$/.exec(text);
  if (uid !== null && Number(uid[1]) < 2 ** 32 - 1) return user(Number(uid[1]));
  const [host = "", prefix, ...more] = text.split("/");
  const family = readIp(host, words);
  const whole = family === 4 ? 32 : 128;
  const mapped = family === 4 && host.includes(":");
  const length = prefix === undefined
    ? whole
    : /^\d{1,3}$/.test(prefix)
    ? Number(prefix) - (mapped ? 96 : 0)
    : NaN;
  if (family === 0 || more.length > 0 || !(length >= 0 && length <= whole)) {
    throw new SyntaxError(NETWORKS);
  }
  return network(family, length);
}

function user(uid: number): Network {
  return { family: 0, length: 0, key: uid, text: `uid:${uid}` };
}

/** Of the address that was read last. */
function network(family: 4 | 6, length: number): Network {
  const key = keyOf(family, words, length);
  const whole = family === 4 ? 32 : 128;
  const text = family === 4 ? textOfIpv4(words[0]! & maskOf(length)) : textOfIpv6(words, length);
  return { family, length, key, text: length === whole ? text : `${text}/${length}` };
}

function textOfIpv4(word: number): string {
  return [24, 16, 8, 0].map((shift) => word >>> shift & 255).join(".");
}

/** As RFC 5952 has it: the longest run of zeros, of two parts at least, is `::`. */
function textOfIpv6(from: Uint32Array, length: number): string {
  const parts: number[] = [];
  for (let word = 0; word < 4; word++) {
    const bits = from[word]! & maskOf(length - 32 * word);
    parts.push(bits >>> 16, bits & 0xffff);
  }
  let [start, run] = [-1, 1];
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && parts[end] === 0) end++;
    if (end - i > run) [start, run] = [i, end - i];
  }
  const hex = (some: readonly number[]): string => some.map((part) => part.toString(16)).join(":");
  return start < 0 ? hex(parts) : `${hex(parts.slice(0, start))}::${hex(parts.slice(start + run))}`;
}

/** Values by the prefixes that they are about, each until it ends: one look for each length that there is. */
export class NetworkTable<Value extends { readonly ends: number }> {
  readonly #ipv4: Layer<Value>[] = [];
  readonly #ipv6: Layer<Value>[] = [];
  readonly #users: Map<string | number, Value> = new Map();
  readonly #words: Uint32Array = new Uint32Array(4);

  /** One that is about a peer, and has not ended by the clock; of the smallest prefix, where there are several. */
  find(remote: Address, clock: Pick<Clock, "now">): Value | undefined {
    const { host } = remote;
    let found: Value | undefined;
    if (host === "") {
      if (remote instanceof KnownPeer) found = this.#users.get(remote.credentials.uid);
      return found !== undefined && found.ends > clock.now() ? found : undefined;
    }
    const colons = host.indexOf(":") >= 0;
    if ((colons && !host.startsWith("::ffff:") ? this.#ipv6 : this.#ipv4).length === 0) {
      return undefined;
    }
    const family = readIp(host, this.#words);
    if (family === 0) return undefined;
    for (const layer of family === 4 ? this.#ipv4 : this.#ipv6) {
      found = layer.find(family, this.#words);
      if (found !== undefined && found.ends > clock.now()) return found;
    }
    return undefined;
  }

  set(network: Network, value: Value): void {
    const { family, length, key } = network;
    if (family === 0) return void this.#users.set(key, value);
    const layers = family === 4 ? this.#ipv4 : this.#ipv6;
    let layer = layers.find((layer) => layer.length === length);
    if (layer === undefined) {
      layers.push(layer = new Layer(length));
      layers.sort((a, b) => b.length - a.length);
    }
    layer.set(key, value);
  }

  delete({ family, length, key }: Network): void {
    if (family === 0) return void this.#users.delete(key);
    const layers = family === 4 ? this.#ipv4 : this.#ipv6;
    const at = layers.findIndex((layer) => layer.length === length);
    if (layers[at]?.delete(key) === true) layers.splice(at, 1);
  }
}

/** Those of one length. */
class Layer<Value> {
  readonly length: number;
  readonly #values: Map<string | number, Value> = new Map();
  /** How many of IPv6 have this hash: a key is made for nobody who has none of them. */
  readonly #hashes: Map<number, number> = new Map();

  constructor(length: number) {
    this.length = length;
  }

  find(family: 4 | 6, from: Uint32Array): Value | undefined {
    const { length } = this;
    if (family === 4) return this.#values.get(from[0]! & maskOf(length));
    if (!this.#hashes.has(hashOf(from, length))) return undefined;
    return this.#values.get(keyOf(family, from, length));
  }

  set(key: string | number, value: Value): void {
    if (!this.#values.has(key)) this.#count(key, 1);
    this.#values.set(key, value);
  }

  /** @returns whether it was the last one. */
  delete(key: string | number): boolean {
    if (this.#values.delete(key)) this.#count(key, -1);
    return this.#values.size === 0;
  }

  #count(key: string | number, change: 1 | -1): void {
    if (typeof key === "number") return;
    const hash = hashOf(wordsOf(key), this.length);
    const count = (this.#hashes.get(hash) ?? 0) + change;
    if (count === 0) this.#hashes.delete(hash);
    else this.#hashes.set(hash, count);
  }
}

/** A number for the bits of a prefix of IPv6. Who finds others of the same gains nothing by it. */
function hashOf(from: Uint32Array, length: number): number {
  let hash = 0;
  for (let word = 0, left = length; left > 0; word++, left -= 32) {
    hash = Math.imul(hash ^ (from[word]! & maskOf(left)), 0x9e3779b1);
  }
  return hash;
}

/** What {@link keyOf} has made a key of. */
function wordsOf(key: string): Uint32Array {
  const made = new Uint32Array(4);
  for (const [at, part] of key.split(":").slice(0, -1).entries()) made[at] = parseInt(part, 36);
  return made;
}
