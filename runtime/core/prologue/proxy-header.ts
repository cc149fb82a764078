/**
 * What a balancer says of a peer before the peer's own bytes: the PROXY protocol, versions 1 and 2
 * (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt). No I/O: bytes in, a header out.
 */
import { Address, type Transport } from "../endpoint.ts";
import { PorticoError } from "../errors.ts";
import { formatIp, readIp } from "../ip.ts";
import { crc32c } from "./crc32c.ts";

/** Bytes of the longest header of version 1, with its end of line. */
const MOST_V1 = 107;
/** What every header of version 2 begins with, before what its length is about. */
const FIXED_V2 = 16;
const SIGNATURE = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10];
const WORD = [80, 82, 79, 88, 89, 32];

/** Types of the values behind the addresses of version 2. */
export const TLV = {
  alpn: 0x01,
  authority: 0x02,
  crc32c: 0x03,
  noop: 0x04,
  uniqueId: 0x05,
  ssl: 0x20,
  sslVersion: 0x21,
  sslCommonName: 0x22,
  sslCipher: 0x23,
  sslSignature: 0x24,
  sslKey: 0x25,
  netns: 0x30,
} as const;

/** Bits of the first byte of the value `ssl`. */
const CLIENT_SSL = 1;
const CLIENT_CERT_CONN = 2;
const CLIENT_CERT_SESS = 4;

/** What the peer has agreed with the balancer over TLS. */
export interface ProxyTls {
  /** As the balancer names it: `TLSv1.3`. */
  readonly version?: string;
  readonly cipher?: string;
  /** The peer has shown a certificate in this connection, or in the session that it resumes. */
  readonly certificate: boolean;
  /** It was found good. */
  readonly verified: boolean;
  /** Of the peer's certificate. */
  readonly commonName?: string;
  readonly signature?: string;
  readonly key?: string;
}

/** What version 2 may say beside addresses. */
export interface ProxyValues {
  readonly alpn?: string | undefined;
  /** The name that the peer has asked for. */
  readonly authority?: string | undefined;
  /** Up to 128 bytes, in hexadecimal. */
  readonly uniqueId?: string | undefined;
  readonly netns?: string | undefined;
  readonly tls?: ProxyTls | undefined;
  /** Values of other types, by their type: bytes in hexadecimal. */
  readonly others?: Readonly<Record<number, string>> | undefined;
}

/** One header. */
export interface ProxyHeader {
  readonly version: 1 | 2;
  /** Bytes that it takes. */
  readonly length: number;
  /** Who the peer is; absent where the balancer says nothing of anybody: LOCAL, UNKNOWN, UNSPEC. */
  readonly remote?: Address;
  /** Where the peer came to. */
  readonly local?: Address;
  readonly values: ProxyValues;
}

const NO_VALUES: ProxyValues = {};

/**
 * The header that `bytes` begin with; "more" when its end has not come yet, "none" when there is none.
 *
 * @param most bytes of a header of version 2 that are taken, 16 + 65,535 when silent.
 * @throws PorticoError PROTOCOL_ERROR that says what is wrong with it.
 */
export function readProxyHeader(
  bytes: Uint8Array,
  most: number = FIXED_V2 + 0xffff,
): ProxyHeader | "more" | "none" {
  if (begins(bytes, WORD)) {
    return bytes.length < WORD.length ? "more" : readVersion1(bytes);
  }
  if (!begins(bytes, SIGNATURE)) return "none";
  if (bytes.length < FIXED_V2) {
    if (bytes.length > 12) checkCommand(bytes[12]!);
    return "more";
  }
  return readVersion2(bytes, most);
}

/** Whether there is a header of version 2, or the beginning of one; of what comes whole, as datagrams do. */
export function beginsVersion2(bytes: Uint8Array): boolean {
  return bytes.length >= SIGNATURE.length && begins(bytes, SIGNATURE);
}

/** As {@link beginsVersion2}, of version 1. */
export function beginsVersion1(bytes: Uint8Array): boolean {
  return bytes.length >= WORD.length && begins(bytes, WORD);
}

/** Whether `bytes` begin as `what` does, as far as there are any. */
function begins(bytes: Uint8Array, what: readonly number[]): boolean {
  const length = Math.min(bytes.length, what.length);
  for (let at = 0; at < length; at++) if (bytes[at] !== what[at]) return false;
  return length > 0;
}

function broken(what: string): PorticoError {
  return new PorticoError("PROTOCOL_ERROR", `a PROXY header ${what}`);
}

// Version 1: one line of ASCII.

const LINE = /^PROXY (TCP4|TCP6) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) ([0-9]{1,5}) ([0-9]{1,5})$/;

function readVersion1(bytes: Uint8Array): ProxyHeader | "more" {
  const end = bytes.subarray(0, MOST_V1).indexOf(10);
  if (end < 0) {
    if (bytes.length >= MOST_V1) throw broken(`of version 1 has no end within ${MOST_V1} bytes`);
    return "more";
  }
  if (bytes[end - 1] !== 13) throw broken("of version 1 does not end with CR LF");
  const line = text(bytes.subarray(0, end - 1));
  const length = end + 1;
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { version: 1, length, values: NO_VALUES };
  const [, family, source = "", destination = "", from = "", to = ""] = LINE.exec(line) ?? [];
  if (family === undefined) throw broken(`of version 1 is ${JSON.stringify(line)}`);
  return {
    version: 1,
    length,
    remote: textAddress(family, source, from),
    local: textAddress(family, destination, to),
    values: NO_VALUES,
  };
}

const words = new Uint32Array(4);

function textAddress(family: string, host: string, port: string): Address {
  const read = readIp(host, words);
  // ::ffff:10.0.0.1 is of TCP6, and an address of IPv4 for everybody here.
  const right = family === "TCP4" ? !host.includes(":") : host.includes(":");
  if (read === 0 || !right) throw broken(`has ${JSON.stringify(host)} as an address of ${family}`);
  if (Number(port) > 0xffff || (port.length > 1 && port.startsWith("0"))) {
    throw broken(`has ${JSON.stringify(port)} as a port`);
  }
  return new Address("tcp", formatIp(words, read), Number(port), "");
}

// Version 2: numbers.

function checkCommand(byte: number): "LOCAL" | "PROXY" {
  if (byte >> 4 !== 2) throw broken(`is of version ${byte >> 4}`);
  const command = byte & 15;
  if (command > 1) throw broken(`has the command ${command}`);
  return command === 0 ? "LOCAL" : "PROXY";
}

/** Bytes of the addresses of each family: unspecified, IPv4, IPv6, Unix. */
const ADDRESS_BYTES = [0, 12, 36, 216] as const;

function readVersion2(bytes: Uint8Array, most: number): ProxyHeader | "more" {
  const command = checkCommand(bytes[12]!);
  const family = bytes[13]! >> 4;
  const kind = bytes[13]! & 15;
  const length = FIXED_V2 + (bytes[14]! << 8 | bytes[15]!);
  if (family > 3 || kind > 2) {
    throw broken(`has the family 0x${bytes[13]!.toString(16).padStart(2, "0")}`);
  }
  if (length > most) throw broken(`of ${length} bytes is longer than ${most}`);
  const known = family > 0 && kind > 0;
  const values = FIXED_V2 + (known ? ADDRESS_BYTES[family]! : 0);
  if (command === "PROXY" && length < values) throw broken("is too short for its addresses");
  if (bytes.length < length) return "more";
  // Whatever stands behind LOCAL or an unknown family is skipped.
  if (command === "LOCAL" || !known) {
    return { version: 2, length, values: NO_VALUES };
  }
  const transport = (family === 3 ? ["unix", "unixgram"] : ["tcp", "udp"])[kind - 1] as Transport;
  const [remote, local] = family === 3
    ? [unixAddress(transport, bytes, 16), unixAddress(transport, bytes, 124)]
    : ipAddresses(transport, bytes, family === 1 ? 4 : 6);
  return {
    version: 2,
    length,
    remote,
    local,
    values: length === values ? NO_VALUES : readValues(bytes.subarray(0, length), values),
  };
}

function ipAddresses(transport: Transport, bytes: Uint8Array, family: 4 | 6): [Address, Address] {
  const size = family === 4 ? 4 : 16;
  const ports = FIXED_V2 + 2 * size;
  const address = (at: number, port: number): Address =>
    new Address(transport, hostAt(bytes, at, family), bytes[port]! << 8 | bytes[port + 1]!, "");
  return [address(FIXED_V2, ports), address(FIXED_V2 + size, ports + 2)];
}

function hostAt(bytes: Uint8Array, at: number, family: 4 | 6): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, family === 4 ? 4 : 16);
  for (let word = 0; word < view.byteLength / 4; word++) words[word] = view.getUint32(4 * word);
  const mapped = family === 6 && words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
  if (mapped) words[0] = words[3]!;
  return formatIp(words, mapped ? 4 : family);
}

/** A path of up to 108 bytes, which ends with the first 0; one that begins with it is abstract. */
function unixAddress(transport: Transport, bytes: Uint8Array, at: number): Address {
  const name = bytes.subarray(at, at + 108);
  const from = name[0] === 0 ? 1 : 0;
  const end = name.indexOf(0, from);
  const path = text(name.subarray(from, end < 0 ? 108 : end));
  return new Address(transport, "", 0, from === 1 && path !== "" ? `@${path}` : path);
}

const decoder = new TextDecoder();

function text(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

function readValues(header: Uint8Array, from: number): ProxyValues {
  const found: Mutable<ProxyValues> = {};
  let others: Record<number, string> | undefined;
  let tls: ProxyTls | undefined;
  eachValue(header, from, (type, value, at) => {
    switch (type) {
      case TLV.alpn:
        found.alpn = text(value);
        break;
      case TLV.authority:
        found.authority = text(value);
        break;
      case TLV.crc32c:
        checkSum(header, value, at);
        break;
      case TLV.noop:
        break;
      case TLV.uniqueId:
        if (value.length > 128) throw broken(`has a unique id of ${value.length} bytes`);
        found.uniqueId = hexadecimal(value);
        break;
      case TLV.ssl:
        tls = readTls(value);
        break;
      case TLV.netns:
        found.netns = text(value);
        break;
      default:
        (others ??= {})[type] = hexadecimal(value);
    }
  });
  if (others !== undefined) found.others = others;
  if (tls !== undefined) found.tls = tls;
  return found;
}

/** Calls `visit` for each value from there to the end of `bytes`. */
function eachValue(
  bytes: Uint8Array,
  from: number,
  visit: (type: number, value: Uint8Array, at: number) => void,
): void {
  for (let at = from; at < bytes.length;) {
    const start = at + 3;
    const end = start + (bytes[at + 1]! << 8 | bytes[at + 2]!);
    // NaN, where the length itself is torn, is no number that is in bounds.
    if (start > bytes.length || !(end <= bytes.length)) {
      throw broken("has a value that goes beyond its end");
    }
    visit(bytes[at]!, bytes.subarray(start, end), start);
    at = end;
  }
}

function checkSum(header: Uint8Array, value: Uint8Array, at: number): void {
  if (value.length !== 4) throw broken(`has a checksum of ${value.length} bytes`);
  const said = (value[0]! << 24 | value[1]! << 16 | value[2]! << 8 | value[3]!) >>> 0;
  if (crc32c(header, at) !== said) throw broken("does not have the checksum that it says");
}

function readTls(value: Uint8Array): ProxyTls | undefined {
  if (value.length < 5) throw broken(`has a value "ssl" of ${value.length} bytes`);
  const client = value[0]!;
  const found: Mutable<ProxyTls> = {
    certificate: (client & (CLIENT_CERT_CONN | CLIENT_CERT_SESS)) !== 0,
    // 0 of the next four bytes is "verified", as it is where there was nothing to verify.
    verified: (client & (CLIENT_CERT_CONN | CLIENT_CERT_SESS)) !== 0 &&
      value.subarray(1, 5).every((byte) => byte === 0),
  };
  eachValue(value, 5, (type, part) => {
    if (type === TLV.sslVersion) found.version = text(part);
    else if (type === TLV.sslCommonName) found.commonName = text(part);
    else if (type === TLV.sslCipher) found.cipher = text(part);
    else if (type === TLV.sslSignature) found.signature = text(part);
    else if (type === TLV.sslKey) found.key = text(part);
  });
  return (client & CLIENT_SSL) === 0 ? undefined : found;
}

function hexadecimal(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
