/** Files of certificates and keys: what is in them, and what is told of those that are wrong. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { codeOf, messageOf, PorticoError } from "../../core/errors.ts";

/** What a file ought to be. */
export type Due = "cert" | "key" | "ca" | "ocsp";

const DUE: Readonly<Record<Due, string>> = {
  cert: "the certificate of the server, PEM: -----BEGIN CERTIFICATE-----",
  key: "the private key of the certificate, PEM, which this server may read",
  ca: "certificates of authorities, PEM: -----BEGIN CERTIFICATE-----",
  ocsp: "an OCSP response, DER, as openssl ocsp -respout writes it",
};

/** Larger ones are something else: bytes. */
const MOST = 4 * 1024 * 1024;

/** One block of PEM. */
export interface PemBlock {
  /** `CERTIFICATE`, `PRIVATE KEY` … */
  readonly label: string;
  readonly text: string;
}

/**
 * What is said of a file that is wrong. Nothing that is in it is ever quoted: it may be a key. `cause` is kept
 * from it for the same reason.
 */
export function invalid(file: string, wrong: string, right: string): PorticoError {
  return new PorticoError("TLS_INVALID", `${file}: ${wrong}`, { hint: `expected: ${right}` });
}

/** Reads files, and remembers them: who has given up the right to read one goes on with what it was. */
export class TlsFileReader {
  readonly #known = new Map<string, Uint8Array>();
  /** Those of the last reading that could not be read any more. */
  readonly stale: Set<string> = new Set();

  /** @throws PorticoError TLS_INVALID. */
  read(file: string, due: Due): Uint8Array {
    try {
      const bytes = readFileSync(file);
      if (bytes.length > MOST) throw invalid(file, `${bytes.length} bytes`, DUE[due]);
      this.#known.set(file, bytes);
      this.stale.delete(file);
      return bytes;
    } catch (error) {
      if (error instanceof PorticoError) throw error;
      const code = codeOf(error) ?? (error as { code?: string }).code;
      const known = this.#known.get(file);
      if (code === "EACCES" && known !== undefined) {
        this.stale.add(file);
        return known;
      }
      const remedy = code === "EACCES"
        ? "a file that this user may read: sockets and certificates are opened before the server becomes another user"
        : DUE[due];
      throw invalid(file, WORDS[code ?? ""] ?? messageOf(error), remedy);
    }
  }

  /** Forgets what is of none of these files. */
  keep(files: ReadonlySet<string>): void {
    for (const file of this.#known.keys()) if (!files.has(file)) this.#known.delete(file);
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  ENOTDIR: "no such file",
  EISDIR: "a folder",
  EACCES: "no permission to read it",
};

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;

function blocksOf(text: string): PemBlock[] {
  return [...text.matchAll(BLOCK)].map(([found, label]) => ({ label: label!, text: `${found}\n` }));
}

/** The certificates in a file, in its order. @throws PorticoError TLS_INVALID. */
export function certificatesIn(
  file: string,
  bytes: Uint8Array,
  due: "cert" | "ca",
): { readonly pem: string; readonly x509: X509Certificate }[] {
  const blocks = textBlocks(file, bytes, due);
  const found = blocks.filter(({ label }) => CERTIFICATE.test(label));
  if (found.length === 0) throw invalid(file, otherThan(blocks), DUE[due]);
  return found.map(({ text }, index) => {
    const pem = text.replaceAll(/(X509|TRUSTED) CERTIFICATE/g, "CERTIFICATE");
    try {
      return { pem, x509: new X509Certificate(pem) };
    } catch {
      throw invalid(file, `the certificate ${index + 1} of ${found.length} is damaged`, DUE[due]);
    }
  });
}

const CERTIFICATE = /^(?:X509 )?CERTIFICATE$/;

/** The private key in a file. @throws PorticoError TLS_INVALID, which has nothing of it. */
export function keyIn(file: string, bytes: Uint8Array): string {
  const blocks = textBlocks(file, bytes, "key");
  const found = blocks.find(({ label }) =>
    /(?:^|^RSA |^EC |^DSA |ENCRYPTED )PRIVATE KEY$/.test(label)
  );
  if (found === undefined) throw invalid(file, otherThan(blocks), DUE.key);
  if (found.label.startsWith("ENCRYPTED") || /^Proc-Type: 4,ENCRYPTED/m.test(found.text)) {
    throw invalid(
      file,
      "an encrypted key: nobody is here to be asked for its passphrase",
      "the key without one, in a file of mode 0600: openssl pkey -in ENCRYPTED -out KEY",
    );
  }
  return found.text;
}

function textBlocks(file: string, bytes: Uint8Array, due: "cert" | "ca" | "key"): PemBlock[] {
  if (bytes.length === 0) throw invalid(file, "an empty file", DUE[due]);
  const text = new TextDecoder().decode(bytes);
  const blocks = blocksOf(text);
  if (blocks.length > 0) return blocks;
  // DER begins with a SEQUENCE.
  if (bytes[0] === 0x30) throw invalid(file, ...binary(bytes, due));
  const cut = /-----BEGIN /.test(text) ? "PEM that is cut off" : "no PEM";
  throw invalid(file, cut, DUE[due]);
}

function binary(bytes: Uint8Array, due: "cert" | "ca" | "key"): [wrong: string, right: string] {
  if (due === "key") {
    return ["DER, or PKCS #12, and not PEM", "PEM: openssl pkey -inform der -in KEY -out KEY.pem"];
  }
  try {
    new X509Certificate(bytes);
    return ["DER, and not PEM", "PEM: openssl x509 -inform der -in CERT -out CERT.pem"];
  } catch {
    return [
      "binary, as PKCS #12 is, and not PEM",
      "PEM: openssl pkcs12 -in FILE -nokeys -out CERT.pem",
    ];
  }
}

function otherThan(blocks: readonly PemBlock[]): string {
  const labels = [...new Set(blocks.map(({ label }) => label))];
  return `PEM of ${labels.join(" and ")}`;
}

/** @throws PorticoError TLS_INVALID. */
export function ocspIn(file: string, bytes: Uint8Array): Uint8Array {
  if (bytes[0] === 0x30) return bytes;
  throw invalid(file, bytes.length === 0 ? "an empty file" : "no DER", DUE.ocsp);
}
