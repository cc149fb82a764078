/**
 * The few things of a certificate that `node:crypto` does not tell alike on every runtime: its names. They are what
 * rules go by, so they are read from the certificate itself (X.509, in DER), and written by one printer.
 */
import {
  contextTag,
  type Element,
  elementAt,
  partsOf,
  readObjectId,
  TAG,
} from "../../runtime/core/der.ts";
import { formatIp } from "../../runtime/core/ip.ts";

/** Of the fields of a certificate: [0] the version, [3] the extensions. */
const [VERSION, EXTENSIONS] = [contextTag(0, true), contextTag(3, true)];

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
  if (tag === TAG.latin1String) return String.fromCharCode(...bytes);
  if (tag !== TAG.bmpString && tag !== TAG.universalString) return new TextDecoder().decode(bytes);
  const width = tag === TAG.bmpString ? 2 : 4;
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
      const id = readObjectId(type!.bytes);
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
    if (tag !== TAG.sequence) continue;
    const parts = partsOf(bytes);
    const value = parts.at(-1);
    if (parts[0]?.tag !== TAG.objectId || value === undefined) continue;
    if (readObjectId(parts[0].bytes) !== "2.5.29.17") continue;
    return { subject, issuer, subjectAltNames: alternativesOf(value.bytes) };
  }
  return { subject, issuer, subjectAltNames: [] };
}
