/** What we say of a peer to a server behind us: the PROXY protocol, versions 1 and 2. See `proxy-header.ts`. */
import type { Address } from "../endpoint.ts";
import { formatIp, readIp } from "../ip.ts";
import { crc32c } from "./crc32c.ts";
import { type ProxyTls, type ProxyValues, TLV } from "./proxy-header.ts";
import type { TlsInfo } from "../tls.ts";
import type { Via } from "./via.ts";

/** Of whom a header tells; a session fits. */
export interface ProxiedClient {
  readonly remote: Address;
  /** The address that the client came to. */
  readonly local: Address;
  /** The way that it came: of version 2 its values are passed on. */
  readonly via?: Via | undefined;
  /** What it has agreed on with us over TLS. */
  readonly tls?: TlsInfo | undefined;
}

/** How a header is written. */
export interface ProxyHeaderOptions {
  readonly version: 1 | 2;
  /** Adds a checksum of the header; of version 2. False when silent. */
  readonly crc32c?: boolean | undefined;
}

/**
 * What to send to a server that is to know who a client is: the first bytes of a stream, or of each datagram
 * (of version 2). Whoever is no peer of IP is UNKNOWN in version 1.
 */
export function writeProxyHeader(
  client: ProxiedClient,
  { version, crc32c = false }: ProxyHeaderOptions,
): Uint8Array {
  const { remote, local } = client;
  if (version === 1) return writeProxyVersion1(remote, local);
  return writeProxyVersion2(remote, local, valuesOf(client), crc32c);
}

/**
 * What is told of a client beside its addresses: what was told of it here, and what it has agreed on with us. Where
 * a balancer has ended its TLS, and speaks TLS with us itself, the client's is the balancer's to tell.
 */
function valuesOf({ via, tls }: ProxiedClient): ProxyValues {
  if (via === undefined && tls === undefined) return NO_VALUES;
  const { uniqueId, others } = via ?? NO_VALUES;
  return {
    alpn: via?.alpn ?? tls?.alpn,
    authority: via?.authority ?? tls?.serverName,
    uniqueId,
    tls: via?.tls ?? (tls && proxyTls(tls)),
    others,
  };
}

const NO_VALUES: ProxyValues = {};

function proxyTls({ version, cipher, peer, authorized }: TlsInfo): ProxyTls {
  const commonName = peer && commonNameOf(peer.subject);
  const found = { version, cipher, certificate: peer !== undefined, verified: authorized };
  return commonName === undefined ? found : { ...found, commonName };
}

/** Of a subject as RFC 4514 writes it, in which what separates is escaped where it does not. */
function commonNameOf(subject: string): string | undefined {
  for (const [, type, value] of subject.matchAll(/([^=]+)=((?:\\.|[^,+\\])*)[,+]?/gy)) {
    if (type !== "CN") continue;
    // Bytes of UTF-8 that are written by their digits stand in rows.
    return value!.replace(/(?:\\[0-9A-Fa-f]{2})+|\\(.)/g, (row, one?: string) => {
      return one ?? decoder.decode(bytesOf(row.replaceAll("\\", "")));
    });
  }
  return undefined;
}

const decoder = new TextDecoder();

const encoder = new TextEncoder();
const SIGNATURE = encoder.encode("\r\n\r\n\0\r\nQUIT\n");

const words = new Uint32Array(4);
const otherWords = new Uint32Array(4);

/** The header of version 1: `PROXY UNKNOWN` for what is no pair of IP addresses of one family. */
export function writeProxyVersion1(remote: Address, local: Address): Uint8Array {
  const from = readIp(remote.host, words);
  const to = readIp(local.host, otherWords);
  if (from === 0 || from !== to) return encoder.encode("PROXY UNKNOWN\r\n");
  const hosts = `${formatIp(words, from)} ${formatIp(otherWords, from)}`;
  return encoder.encode(`PROXY TCP${from} ${hosts} ${remote.port} ${local.port}\r\n`);
}

/**
 * The header of version 2; undefined addresses make it LOCAL: the connection is the sender's own.
 *
 * @param checked adds its checksum.
 */
export function writeProxyVersion2(
  remote: Address | undefined,
  local: Address | undefined,
  values: ProxyValues = {},
  checked: boolean = false,
): Uint8Array {
  const [family, addresses] = remote === undefined || local === undefined
    ? [0, new Uint8Array()]
    : addressBytes(remote, local);
  const parts = [addresses, ...valueParts(values)];
  if (checked) parts.push(value(TLV.crc32c, new Uint8Array(4)));
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  if (length > 0xffff) throw new RangeError(`a PROXY header holds 65,535 bytes, not ${length}`);
  const header = new Uint8Array(16 + length);
  header.set(SIGNATURE);
  header[12] = remote === undefined ? 0x20 : 0x21;
  header[13] = family;
  header[14] = length >> 8;
  header[15] = length & 255;
  let at = 16;
  for (const part of parts) {
    header.set(part, at);
    at += part.length;
  }
  if (checked) new DataView(header.buffer).setUint32(at - 4, crc32c(header));
  return header;
}

function addressBytes(remote: Address, local: Address): [number, Uint8Array] {
  const kind = remote.transport === "udp" || remote.transport === "unixgram" ? 2 : 1;
  const from = readIp(remote.host, words);
  const to = readIp(local.host, otherWords);
  if (from !== 0 && to !== 0) {
    // An address of IPv4 beside one of IPv6 is a mapped one.
    const family = from === 4 && to === 4 ? 4 : 6;
    const size = family === 4 ? 4 : 16;
    const bytes = new Uint8Array(2 * size + 4);
    const view = new DataView(bytes.buffer);
    putIp(view, 0, words, from, family);
    putIp(view, size, otherWords, to, family);
    view.setUint16(2 * size, remote.port);
    view.setUint16(2 * size + 2, local.port);
    return [(family === 4 ? 0x10 : 0x20) | kind, bytes];
  }
  if (remote.host !== "" || local.host !== "") return [0, new Uint8Array()];
  const bytes = new Uint8Array(216);
  bytes.set(pathBytes(remote.path));
  bytes.set(pathBytes(local.path), 108);
  return [0x30 | kind, bytes];
}

function putIp(view: DataView, at: number, from: Uint32Array, has: 4 | 6, wanted: 4 | 6): void {
  if (has === wanted) {
    for (let word = 0; word < (wanted === 4 ? 1 : 4); word++) {
      view.setUint32(at + 4 * word, from[word]!);
    }
    return;
  }
  view.setUint16(at + 10, 0xffff);
  view.setUint32(at + 12, from[0]!);
}

function pathBytes(path: string): Uint8Array {
  return encoder.encode(path.startsWith("@") ? `\0${path.slice(1)}` : path).subarray(0, 108);
}

function* valueParts(values: ProxyValues): Generator<Uint8Array> {
  const { alpn, authority, uniqueId, netns, tls, others } = values;
  if (alpn !== undefined) yield value(TLV.alpn, encoder.encode(alpn));
  if (authority !== undefined) yield value(TLV.authority, encoder.encode(authority));
  if (uniqueId !== undefined) {
    yield value(TLV.uniqueId, bytesOf(uniqueId));
  }
  if (tls !== undefined) yield value(TLV.ssl, tlsBytes(tls));
  if (netns !== undefined) yield value(TLV.netns, encoder.encode(netns));
  for (const [type, digits] of Object.entries(others ?? {})) {
    yield value(Number(type), bytesOf(digits));
  }
}

function bytesOf(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

function value(type: number, bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(3 + bytes.length);
  whole[0] = type;
  whole[1] = bytes.length >> 8;
  whole[2] = bytes.length & 255;
  whole.set(bytes, 3);
  return whole;
}

function tlsBytes(tls: ProxyTls): Uint8Array {
  const { version, commonName, cipher, signature, key } = tls;
  const parts: number[] = [tls.certificate ? 7 : 1, 0, 0, 0, tls.verified ? 0 : 1];
  const add = (type: number, text: string | undefined): void => {
    if (text !== undefined) parts.push(...value(type, encoder.encode(text)));
  };
  add(TLV.sslVersion, version);
  add(TLV.sslCommonName, commonName);
  add(TLV.sslCipher, cipher);
  add(TLV.sslSignature, signature);
  add(TLV.sslKey, key);
  return Uint8Array.from(parts);
}
