/** A certificate with its key, as files have them. */
import { createPrivateKey, type KeyObject, type X509Certificate } from "node:crypto";
import type { TlsFiles } from "../../core/plan.ts";
import type { TlsIdentity } from "../../core/tls.ts";
import type { CertificateStatus } from "../status.ts";
import { certificatesIn, invalid, keyIn, ocspIn, type TlsFileReader } from "./files.ts";

/** One that is in use, or could be. */
export interface Pair {
  readonly files: TlsFiles;
  readonly identity: TlsIdentity;
  /** SHA-256 of the certificate: 64 digits in lower case, without colons. */
  readonly fingerprint: string;
  /** Milliseconds since 1970. */
  readonly validFrom: number;
  readonly validTo: number;
  /** What was mended. */
  readonly warning?: string;
}

interface Certificate {
  readonly pem: string;
  readonly x509: X509Certificate;
}

/**
 * Reads a certificate and its key. The chain is put in order; whether its time is now is for {@link checkTime}.
 *
 * @throws PorticoError TLS_INVALID, with the file, what is wrong, what would be right; nothing of a key is in it.
 */
export function readPair(files: TlsFiles, reader: TlsFileReader): Pair {
  const all = certificatesIn(files.cert, reader.read(files.cert, "cert"), "cert");
  const key = keyIn(files.key, reader.read(files.key, "key"));
  const own = privateKey(files.key, key);
  const leaf = all.find(({ x509 }) => fits(x509, own));
  if (leaf === undefined) {
    const whose = all[0]!.x509.subject.replaceAll("\n", ", ");
    const [due, found] = [describeKey(all[0]!.x509.publicKey), describeKey(own)];
    const differs = due === found ? "" : `, which is of ${due}; this one is of ${found}`;
    throw invalid(
      files.key,
      `not the key of the certificate in ${files.cert} (${whose})`,
      `the key of that certificate${differs}`,
    );
  }
  const chain = chainOf(leaf, all);
  const wrong = chain.some((each, index) => each !== all[index]);
  const { x509 } = leaf;
  const ocsp = files.ocsp === undefined
    ? undefined
    : ocspIn(files.ocsp, reader.read(files.ocsp, "ocsp"));
  return {
    files,
    identity: { cert: chain.map(({ pem }) => pem).join(""), key, names: namesOf(x509), ocsp },
    fingerprint: x509.fingerprint256.replaceAll(":", "").toLowerCase(),
    validFrom: Date.parse(x509.validFrom),
    validTo: Date.parse(x509.validTo),
    ...(wrong &&
      {
        warning:
          `${files.cert}: its certificates are in the wrong order; they were put right: the server's first, then whose it is signed by`,
      }),
  };
}

/** @param now in ms since 1970. @throws PorticoError TLS_INVALID when its time is over, or has not come. */
export function checkTime({ files, validFrom, validTo }: Pair, now: number): void {
  if (now >= validTo) {
    throw invalid(files.cert, `expired at ${timeOf(validTo)}`, "a certificate that is valid now");
  }
  if (now < validFrom) {
    const right = `a certificate that is valid now; the clock of this machine says ${timeOf(now)}`;
    throw invalid(files.cert, `not valid before ${timeOf(validFrom)}`, right);
  }
}

/** What is told of a certificate: nothing that is a secret. */
export function statusOf(
  { files, identity, validFrom, validTo, fingerprint }: Pair,
): CertificateStatus {
  return {
    ...(files.cert !== "" && { file: files.cert }),
    names: identity.names,
    validFrom: timeOf(validFrom),
    validTo: timeOf(validTo),
    fingerprint,
  };
}

/** `2026-11-28T12:00:00Z`. */
export function timeOf(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

function privateKey(file: string, pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // What the library says may quote what it has read.
    throw invalid(
      file,
      "a key that is damaged, or of a kind that this runtime does not know",
      "a private key of RSA or ECDSA, PEM",
    );
  }
}

function fits(certificate: X509Certificate, key: KeyObject): boolean {
  try {
    return certificate.checkPrivateKey(key);
  } catch {
    return false;
  }
}

/** From the server's certificate up; what does not belong to it stays behind it, as it was. */
function chainOf(leaf: Certificate, all: readonly Certificate[]): readonly Certificate[] {
  const chain = [leaf];
  const left = all.filter((each) => each !== leaf);
  for (let last: Certificate | undefined = leaf; last !== undefined;) {
    const { x509 }: Certificate = last;
    const index = left.findIndex((each) => x509.checkIssued(each.x509));
    last = index < 0 ? undefined : left.splice(index, 1)[0];
    if (last !== undefined) chain.push(last);
  }
  return [...chain, ...left];
}

/** Names in subjectAltName; some runtimes put those in quotes that have odd characters. */
const DNS = /(?:^|, )DNS:("(?:[^"\\]|\\.)*"|[^,]*)/g;

/** The names of hosts that a certificate is for; where it has none, its common name, which was used before. */
export function namesOf({ subjectAltName, subject }: X509Certificate): readonly string[] {
  if (subjectAltName !== undefined && subjectAltName !== "") {
    return [...subjectAltName.matchAll(DNS)].map(([, name]) => name!.toLowerCase());
  }
  const common = /(?:^|\n)CN=([\w*.-]+)(?=\n|$)/.exec(subject ?? "");
  return common === null ? [] : [common[1]!.toLowerCase()];
}

/** `RSA, 2048 bits`, `EC, prime256v1`. */
function describeKey({ asymmetricKeyType: type, asymmetricKeyDetails }: KeyObject): string {
  const { modulusLength, namedCurve } = asymmetricKeyDetails ?? {};
  const size = modulusLength === undefined ? namedCurve : `${modulusLength} bits`;
  return `${type?.toUpperCase() ?? "an unknown kind"}${size === undefined ? "" : `, ${size}`}`;
}
