/**
 * The few things of a certificate that `node:crypto` does not tell alike on every runtime: its names. They are what
 * rules go by, so they are read from the certificate itself (X.509, in DER), and written by one printer.
 */
import { formatIp } from "../../runtime/core/ip.ts";

/** One element: its tag, and where its contents are. */
interface Element {
  readonly tag: number;
  readonly bytes: Uint8Array;
  /** Where the next one begins, in what it was read from. */
  readonly end: number;
}

const SEQUENCE = 0x30;
const OBJECT_ID = 0x06;
const BMP_STRING = 0x1e;
const UNIVERSAL_STRING = 0x1c;
const LATIN1_STRING = 0x14;
/** Of the fields of a certificate: [0] the version, [3] the extensions. */
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;

/** @throws RangeError where the bytes end before it does. */
function elementAt(bytes: Uint8Array, at: number): Element {
  const tag = bytes[at]!;
  let length = bytes[at + 1]!;
  let from = at + 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + bytes[from++]!;
  }
  const end = from + length;
  if (!(end <= bytes.length)) throw new RangeError("an element of a certificate is cut off");
  return { tag, bytes: bytes.subarray(from, end), end };
}

/** What an element is made of. */
function partsOf(bytes: Uint8Array): Element[] {
  const parts: Element[] = [];
  for (let at = 0; at < bytes.length;) {
    const part = elementAt(bytes, at);
    parts.push(part);
    at = part.end;
  }
  return parts;
}

/** `2.5.4.3` */
function objectId(bytes: Uint8Array): string {
  const numbers: number[] = [];
  let number = 0;
  for (const byte of bytes) {
    number = number * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    if (numbers.length === 0) {
      const first = Math.min(2, Math.floor(number / 40));
      numbers.push(first, number - first * 40);
    } else numbers.push(number);
    number = 0;
  }
  return numbers.join(".");
}

/** The short names that RFC 4514 knows, and that openssl(1) adds. */
const KEYWORDS: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.4": "SN",
  "2.5.4.5": "serialNumber",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.9": "STREET",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "2.5.4.12": "title",
  "2.5.4.42": "GN",
  "0.9.2342.19200300.100.1.1": "UID",
  "0.9.2342.19200300.100.1.25": "DC",
  "1.2.840.113549.1.9.1": "emailAddress",
};

function stringOf({ tag, bytes }: Element): string {
  if (tag === LATIN1_STRING) return String.fromCharCode(...bytes);
  if (tag !== BMP_STRING && tag !== UNIVERSAL_STRING) return new TextDecoder().decode(bytes);
  const width = tag === BMP_STRING ? 2 : 4;
  let text = "";
  for (let at = 0; at + width <= bytes.length; at += width) {
    let code = 0;
    for (let i = 0; i < width; i++) code = code * 256 + bytes[at + i]!;
    text += code <= 0x10ffff ? String.fromCodePoint(code) : "\ufffd";
  }
  return text;
}

/** RFC 4514, 2.4; control characters as pairs of digits, so that a name stays on its line. */
function escaped(text: string): string {
  return text.replace(/[\\,+"<>;]|^[ #]|[ ]$/g, "\\$&").replace(
    /\p{Cc}/gu,
    (sign) => `\\${sign.charCodeAt(0).toString(16).padStart(2, "0").toUpperCase()}`,
  );
}

/** A distinguished name as RFC 4514 writes it: the most specific part first. */
function nameOf(bytes: Uint8Array): string {
  return partsOf(bytes).reverse().map((set) =>
    partsOf(set.bytes).map(({ bytes }) => {
      const [type, value] = partsOf(bytes);
      const id = objectId(type!.bytes);
      return `${KEYWORDS[id] ?? id}=${escaped(stringOf(value!))}`;
    }).join("+")
  ).join(",");
}

function addressOf(bytes: Uint8Array): string {
  const words = new Uint32Array(4);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const family = bytes.length === 4 ? 4 : 6;
  for (let word = 0; word * 4 + 4 <= Math.min(bytes.length, 16); word++) {
    words[word] = view.getUint32(word * 4);
  }
  return formatIp(words, family);
}

/** The general names of RFC 5280, 4.2.1.6 that a rule can be about; the others are left out. */
function alternativesOf(bytes: Uint8Array): string[] {
  const names: string[] = [];
  for (const { tag, bytes: value } of partsOf(elementAt(bytes, 0).bytes)) {
    const text = (): string => String.fromCharCode(...value);
    if (tag === 0x81) names.push(`email:${text()}`);
    else if (tag === 0x82) names.push(`DNS:${text().toLowerCase()}`);
    else if (tag === 0x86) names.push(`URI:${text()}`);
    else if (tag === 0x87) names.push(`IP:${addressOf(value)}`);
  }
  return names;
}

/** The names of a certificate. */
export interface CertificateNames {
  readonly subject: string;
  readonly issuer: string;
  readonly subjectAltNames: readonly string[];
}

/** @throws RangeError for what is no certificate; whoever has checked its signature has seen to that. */
export function certificateNames(der: Uint8Array): CertificateNames {
  const fields = partsOf(elementAt(elementAt(der, 0).bytes, 0).bytes);
  // Version (which may be absent), serial number, algorithm, issuer, validity, subject, key …
  const first = fields[0]!.tag === VERSION ? 1 : 0;
  const issuer = nameOf(fields[first + 2]!.bytes);
  const subject = nameOf(fields[first + 4]!.bytes);
  const extensions = fields.find(({ tag }) => tag === EXTENSIONS);
  const list = extensions === undefined ? [] : partsOf(elementAt(extensions.bytes, 0).bytes);
  for (const { tag, bytes } of list) {
    if (tag !== SEQUENCE) continue;
    const parts = partsOf(bytes);
    const value = parts.at(-1);
    if (parts[0]?.tag !== OBJECT_ID || value === undefined) continue;
    if (objectId(parts[0].bytes) !== "2.5.29.17") continue;
    return { subject, issuer, subjectAltNames: alternativesOf(value.bytes) };
  }
  return { subject, issuer, subjectAltNames: [] };
}
