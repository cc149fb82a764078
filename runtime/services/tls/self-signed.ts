/** A certificate for development, made at the start: RFC 5280. */
import {
  BitString,
  Boolean as Bool,
  Constructed,
  fromBER,
  Integer,
  ObjectIdentifier,
  OctetString,
  Primitive,
  Sequence,
  Set as SetOf,
  UTCTime,
  Utf8String,
} from "asn1js";
import { Buffer } from "node:buffer";
import { generateKeyPairSync, randomBytes, sign, X509Certificate } from "node:crypto";
import type { Clock } from "../../core/clock.ts";
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

type Block = Sequence | SetOf | Integer | ObjectIdentifier | BitString | OctetString;

const sequence = (...value: (Block | Constructed | Primitive | UTCTime | Utf8String | Bool)[]) =>
  new Sequence({ value });
const oid = (value: string) => new ObjectIdentifier({ value });

/** Makes one for this machine and for the hosts of the plan, and says so loudly. */
export function selfSigned(plan: TlsPlan, clock: Clock, tell: Tell): Pair {
  const hosts = [...new Set([...OWN, ...plan.hosts ?? []])].filter((host) => !ALL.has(host));
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const body = bodyOf(publicKey.export({ type: "spki", format: "der" }), hosts, clock.wall());
  const signature = sign("sha256", new Uint8Array(body.toBER()), privateKey);
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const der = sequence(body, algorithm, new BitString({ valueHex: signature })).toBER();
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
function bodyOf(publicKey: Uint8Array, hosts: readonly string[], now: number): Sequence {
  const name = sequence(
    new SetOf({
      value: [sequence(oid(OID.commonName), new Utf8String({ value: "Portico, self-signed" }))],
    }),
  );
  const serial = randomBytes(16);
  // Positive, and without a zero in front.
  serial[0] = serial[0]! & 0x7f | 0x40;
  return sequence(
    new Constructed({ idBlock: { tagClass: 3, tagNumber: 0 }, value: [new Integer({ value: 2 })] }),
    new Integer({ valueHex: serial }),
    sequence(oid(OID.ecdsaWithSha256)),
    name,
    sequence(
      new UTCTime({ valueDate: new Date(now - BEFORE) }),
      new UTCTime({ valueDate: new Date(now + LIFE) }),
    ),
    name,
    fromBER(publicKey).result as Sequence,
    new Constructed({ idBlock: { tagClass: 3, tagNumber: 3 }, value: [extensions(hosts)] }),
  );
}

function extensions(hosts: readonly string[]): Sequence {
  const one = (id: string, critical: boolean, value: Sequence | BitString): Sequence =>
    sequence(
      oid(id),
      ...(critical ? [new Bool({ value: true })] : []),
      new OctetString({ valueHex: value.toBER() }),
    );
  return sequence(
    one(OID.basicConstraints, true, sequence()),
    one(OID.keyUsage, true, new BitString({ valueHex: Uint8Array.of(0x80), unusedBits: 7 })),
    one(OID.extendedKeyUsage, false, sequence(oid(OID.serverAuth))),
    one(OID.subjectAltName, false, sequence(...hosts.map(generalName))),
  );
}

/** RFC 5280, 4.2.1.6: a name, or the bytes of an address. */
function generalName(host: string): Primitive {
  const words = new Uint32Array(4);
  const family = readIp(host, words);
  const bytes = new DataView(new ArrayBuffer(16));
  words.forEach((word, index) => bytes.setUint32(index * 4, word));
  if (family === 0) {
    const idBlock = { tagClass: 3, tagNumber: 2 };
    return new Primitive({ idBlock, valueHex: new TextEncoder().encode(host) });
  }
  const valueHex = new Uint8Array(bytes.buffer, 0, family === 4 ? 4 : 16);
  return new Primitive({ idBlock: { tagClass: 3, tagNumber: 7 }, valueHex });
}
