/** Certificates for tests, made by openssl(1). */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TlsIdentity } from "../../runtime/core/tls.ts";

const SERVER = "extendedKeyUsage=serverAuth";
const CLIENT = "extendedKeyUsage=clientAuth";

/** Makes certificates in a folder; each is NAME.pem, and its key NAME.key. */
class Authority {
  readonly #home: string;

  constructor(home: string) {
    this.#home = home;
  }

  #openssl(words: string, ...more: readonly string[]): void {
    const all = [...words.split(" "), ...more];
    execFileSync("openssl", all, { cwd: this.#home, stdio: ["ignore", "ignore", "pipe"] });
  }

  /** An authority, which has signed itself. */
  root(name: string): void {
    this.#openssl(
      `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout ${name}.key -out ${name}.pem -subj /CN=${name}`,
      ...["-addext", "basicConstraints=critical,CA:TRUE"],
    );
  }

  /** One that an authority has signed. */
  signed(name: string, extension: string, how: How = {}): void {
    const { by = "ca", days = 2, subject = `/CN=${name}`, kind = EC } = how;
    this.#openssl(
      `req -utf8 -newkey ${kind} -nodes -keyout ${name}.key -out ${name}.csr`,
      ...["-subj", subject],
    );
    writeFileSync(join(this.#home, `${name}.ext`), `basicConstraints=CA:FALSE\n${extension}\n`);
    this.#openssl(
      `x509 -req -in ${name}.csr -CA ${by}.pem -CAkey ${by}.key -CAcreateserial -days ${days} -out ${name}.pem -extfile ${name}.ext`,
    );
  }
}

const EC = "ec -pkeyopt ec_paramgen_curve:prime256v1";

/** How {@link Authority.signed} is to go about it. */
interface How {
  readonly by?: string;
  readonly days?: number;
  readonly subject?: string;
  readonly kind?: string;
}

/**
 * In a folder: an authority (`ca`), a `server` that is `logs.example` and 127.0.0.1, one whose time is over
 * (`expired`), a `client`, and an authority that nobody knows (`other`); each as NAME.pem and NAME.key.
 */
export function certify(home: string): void {
  const authority = new Authority(home);
  authority.root("ca");
  authority.root("other");
  const names = "subjectAltName=DNS:logs.example,IP:127.0.0.1";
  authority.signed("server", `${names}\n${SERVER}`);
  authority.signed("expired", `${names}\n${SERVER}`, { days: -1 });
  authority.signed("client", `subjectAltName=DNS:client.example\n${CLIENT}`);
}

/** The certificates that {@link certificates} makes beside those of {@link certify}. */
export type CertificateName =
  | "ca"
  | "other"
  | "server"
  | "expired"
  | "client"
  /** `a.example`, `b.example`, `*.w.example`. */
  | "a"
  | "b"
  | "wildcard"
  /** `a.example` with another key: what comes after a renewal. */
  | "renewed"
  /** `rsa.example`, with a key of 2048 bits. */
  | "rsa"
  /** A client of the authority that nobody knows. */
  | "stranger"
  /** A client with every kind of name: `O=Example\, Inc.+…`. */
  | "odd";

/** Certificates in a folder of their own, which goes with the process. */
export interface Certificates {
  readonly folder: string;
  /** The file of a certificate, or of its key. */
  file(name: CertificateName, ending?: "pem" | "key"): string;
  /** What is in it. */
  cert(name: CertificateName): string;
  key(name: CertificateName): string;
  /** Both, for a server. */
  identity(name: CertificateName, ...names: readonly string[]): TlsIdentity;
}

let made: Certificates | undefined = undefined;

/** Those of this process, made at the first call. */
export function certificates(): Certificates {
  return made ??= make();
}

function make(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), "portico-certificates-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  // `deno test` ends without that.
  if ("Deno" in globalThis) globalThis.addEventListener("unload", remove);
  certify(folder);
  const authority = new Authority(folder);
  const server = (name: string, host: string, how?: How): void =>
    authority.signed(name, `subjectAltName=DNS:${host}\n${SERVER}`, how);
  server("a", "a.example");
  server("renewed", "a.example");
  server("b", "b.example");
  server("wildcard", "*.w.example");
  server("rsa", "rsa.example", { kind: "rsa:2048" });
  authority.signed("stranger", CLIENT, { by: "other" });
  authority.signed(
    "odd",
    `subjectAltName=DNS:odd.example,IP:192.0.2.1,IP:2001:db8::1,email:o@odd.example,URI:spiffe://odd/x\n${CLIENT}`,
    { subject: '/C=CH/O=Example, Inc.+OU="Söhne"/CN=#odd' },
  );
  const read = (file: string): string => readFileSync(join(folder, file), "utf8");
  const cert = (name: CertificateName): string => read(`${name}.pem`);
  const key = (name: CertificateName): string => read(`${name}.key`);
  return {
    folder,
    file: (name, ending = "pem") => join(folder, `${name}.${ending}`),
    cert,
    key,
    identity: (name, ...names) => ({ cert: cert(name), key: key(name), names }),
  };
}
