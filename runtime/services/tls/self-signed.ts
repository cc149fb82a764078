/** A certificate for development, made at the start: RFC 5280. */
import { Buffer } from "node:buffer";
import { generateKeyPairSync, randomBytes, sign, X509Certificate } from "node:crypto";
import type { Clock } from "../../core/clock.ts";
import { contextTag, element, objectId, TAG } from "../../core/der.ts";
import { readIp } from "../../core/ip.ts";
import type { TlsPlan } from "../../core/plan.ts";
import type { Tell } from "./held.ts";
import { namesOf, type Pair } from "./pair.ts";

const DAY = 86_400_000;
/** How long it is good, in ms: a server that runs longer is no development. */
const LIFE = 30 * DAY;
/** Clocks differ. */
const BEFORE = 3_600_000;

const OID = {
  commonName: "2.5.4.3",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  basicConstraints: "2.5.29.19",
  keyUsage: "2.5.29.15",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  subjectAltName: "2.5.29.17",
} as const;

const sequence = (...parts: readonly Uint8Array[]): Uint8Array => element(TAG.sequence, ...parts);
/** @param unused bits at its end. */
const bits = (bytes: Uint8Array, unused = 0): Uint8Array =>
  element(TAG.bitString, Uint8Array.of(unused), bytes);
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Makes one for this machine and for the hosts of the plan, and says so loudly. */
export function selfSigned(plan: TlsPlan, clock: Clock, tell: Tell): Pair {
  const hosts = [...new Set([...OWN, ...plan.hosts ?? []])].filter((host) => !ALL.has(host));
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const body = bodyOf(publicKey.export({ type: "spki", format: "der" }), hosts, clock.wall());
  const algorithm = sequence(objectId(OID.ecdsaWithSha256));
  const der = sequence(body, algorithm, bits(sign("sha256", body, privateKey)));
  const base64 = Buffer.from(der).toString("base64").replace(/.{64}(?=.)/g, "$&\n");
  const cert = `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`;
  const key = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  const x509 = new X509Certificate(cert);
  const fingerprint = x509.fingerprint256.replaceAll(":", "").toLowerCase();
  const strangers = (plan.hosts ?? []).filter((host) => !isLoopback(host));
  tell("warn", "log", {
    message:
      `a self-signed certificate, for development: no client trusts it; its SHA-256 is ${fingerprint}`,
    names: hosts.join(", "),
    fingerprint,
  });
  if (strangers.length > 0) {
    tell("warn", "log", {
      message: `the self-signed certificate is shown on ${
        strangers.join(", ")
      }, which strangers reach: whoever takes it for good may be talking to anybody`,
    });
  }
  return {
    files: { cert: "", key: "" },
    identity: { cert, key, names: namesOf(x509) },
    fingerprint,
    validFrom: Date.parse(x509.validFrom),
    validTo: Date.parse(x509.validTo),
  };
}

const OWN = ["localhost", "127.0.0.1", "::1"];
/** No hosts, but all addresses of this machine. */
const ALL: ReadonlySet<string> = new Set(["*", "0.0.0.0", "::"]);

function isLoopback(host: string): boolean {
  return /^(?:127\.|::1$|localhost$)/i.test(host);
}

/** What is signed, around a key in DER. */
function bodyOf(publicKey: Uint8Array, hosts: readonly string[], now: number): Uint8Array {
  const commonName = element(TAG.utf8String, ascii("Portico, self-signed"));
  const name = sequence(element(TAG.set, sequence(objectId(OID.commonName), commonName)));
  const serial = randomBytes(16);
  // Positive, and without a zero in front.
  serial[0] = serial[0]! & 0x7f | 0x40;
  return sequence(
    element(contextTag(0, true), element(TAG.integer, Uint8Array.of(VERSION_3))),
    element(TAG.integer, serial),
    sequence(objectId(OID.ecdsaWithSha256)),
    name,
    sequence(time(now - BEFORE), time(now + LIFE)),
    name,
    publicKey,
    element(contextTag(3, true), extensions(hosts)),
  );
}

/** Versions are counted from 0. */
const VERSION_3 = 2;

/** `261128171500Z`: of a year before 2050. */
function time(ms: number): Uint8Array {
  const digits = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  return element(TAG.utcTime, ascii(digits.slice(2)));
}

function extensions(hosts: readonly string[]): Uint8Array {
  const one = (id: string, critical: boolean, value: Uint8Array): Uint8Array =>
    sequence(
      objectId(id),
      ...(critical ? [element(TAG.boolean, Uint8Array.of(0xff))] : []),
      element(TAG.octetString, value),
    );
  return sequence(
    one(OID.basicConstraints, true, sequence()),
    one(OID.keyUsage, true, bits(Uint8Array.of(0x80), 7)),
    one(OID.extendedKeyUsage, false, sequence(objectId(OID.serverAuth))),
    one(OID.subjectAltName, false, sequence(...hosts.map(generalName))),
  );
}

/** RFC 5280, 4.2.1.6: a name, or the bytes of an address. */
function generalName(host: string): Uint8Array {
  const words = new Uint32Array(4);
  const family = readIp(host, words);
  if (family === 0) return element(contextTag(2), ascii(host));
  const bytes = new DataView(new ArrayBuffer(16));
  words.forEach((word, index) => bytes.setUint32(index * 4, word));
  return element(contextTag(7), new Uint8Array(bytes.buffer, 0, family === 4 ? 4 : 16));
}
