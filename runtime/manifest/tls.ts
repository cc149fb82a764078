/** `tls` of a manifest, as plans: blocks are merged, paths resolved. No file is read: `services/tls/` does that. */
import { resolve } from "node:path";
import type { Endpoint } from "../core/endpoint.ts";
import type { ListenPlan, TlsFiles, TlsPlan } from "../core/plan.ts";
import { type Path, show } from "../values/problem.ts";
import { listenPath, tlsSaid, withTls } from "./listen.ts";
import { folderAt, type Problems } from "./source.ts";
import type { CheckedEndpointTls, CheckedTls } from "./tls-schema.ts";

/** How long a session may be resumed where nobody says it, in ms. */
export const TICKETS = 7_200_000;

const REMEDY =
  '"tls": { "cert": "./server.crt", "key": "./server.key" } in the service, or "tls": "self-signed" for development';

/** Transports that have none. Of an inherited socket the start sees what it is. */
const WITHOUT: Readonly<Record<string, string>> = {
  udp: "streams only: tls, tcp, unix, and https",
  unixgram: "streams only: tls, tcp, unix, and https",
  http: "https:// in the place of http://",
  "http+unix": "https://, or in clear: the file's mode says who reaches it",
};

type TlsBlock = Exclude<CheckedTls, "self-signed">;

/** One block, and where it stands. */
interface Said {
  readonly block: TlsBlock;
  readonly path: Path;
}

/** A service's endpoints with what TLS they have, and the plan of those who begin it later. */
export interface WithTls {
  readonly listen: readonly ListenPlan[];
  readonly tls?: TlsPlan;
  /** The service says nothing of it itself. */
  readonly tlsOfDefaults?: true;
}

/** Makes plans of what services, `defaults` and endpoints say. What is wrong goes to its problems, each once. */
export class TlsPlans {
  readonly #problems: Problems;
  readonly #told = new Set<string>();

  constructor(problems: Problems) {
    this.#problems = problems;
  }

  /** @param path of the service. */
  read(
    { defaults, service }: Readonly<Record<"defaults" | "service", CheckedTls | undefined>>,
    listen: readonly ListenPlan[],
    path: Path,
  ): WithTls {
    const wanting = listen.some((each) => tlsSaid(each) !== undefined || isAlways(each.endpoint));
    if (defaults === undefined && service === undefined && !wanting) return { listen };
    const hosts = [
      ...new Set(listen.flatMap(({ endpoint }) => "host" in endpoint ? endpoint.host : [])),
    ];
    const shared = [...said(defaults, ["defaults", "tls"]), ...said(service, [...path, "tls"])];
    const own = this.#plan(shared, hosts);
    const secured = listen.map((each) => this.#endpoint(each, shared, own, hosts));
    const idle = own === undefined && secured.every(({ tls }) => tls === undefined);
    if (idle && service !== undefined) {
      this.#tell([...path, "tls"], show(service), `a certificate: ${REMEDY}`);
    }
    if (own === undefined) return { listen: secured };
    return { listen: secured, tls: own, ...(service === undefined && { tlsOfDefaults: true }) };
  }

  #endpoint(
    listen: ListenPlan,
    shared: readonly Said[],
    own: TlsPlan | undefined,
    hosts: readonly string[],
  ): ListenPlan {
    const beside = tlsSaid(listen);
    const { endpoint, text } = listen;
    if (beside === undefined && !isAlways(endpoint)) return listen;
    const place = listenPath(listen) ?? [];
    const at = [...place.slice(0, -1), "tls"];
    const without = WITHOUT[endpoint.transport];
    if (without !== undefined) {
      this.#tell(at, `TLS, and ${show(text)}`, without, "key");
      return listen;
    }
    const differs = typeof beside === "object" || beside === "self-signed";
    const plan = differs ? this.#plan([...shared, ...said(beside, at)], hosts) : own;
    if (plan !== undefined) {
      if (endpoint.transport !== "https") return withTls(listen, plan);
      const other = plan.alpn.find((name) => !HTTP.includes(name));
      if (other !== undefined) {
        this.#tell(place, `${show(text)}, with "alpn" ${show(other)}`, '"h2" and "http/1.1"');
      }
      return withTls(listen, ofHttp(plan));
    }
    this.#tell(place, `${show(text)}, without a certificate`, REMEDY);
    return listen;
  }

  /** What is said later wins; undefined where nobody names a certificate. */
  #plan(blocks: readonly Said[], hosts: readonly string[]): TlsPlan | undefined {
    const certificates = blocks.findLast(({ block }) => namesCertificates(block));
    if (certificates === undefined) return undefined;
    const last = <Key extends keyof TlsBlock>(key: Key) => {
      const found = blocks.findLast(({ block }) => block[key] !== undefined);
      return { value: found?.block[key], path: [...found?.path ?? [], key] };
    };
    const ca = last("ca");
    const { value: client = "none", path } = last("clientCertificate");
    if (client !== "none" && ca.value === undefined) {
      const text = '"ca": the file of the authorities whose certificates are good';
      this.#tell(path, `${show(client)} without "ca"`, text);
    }
    const tickets = last("sessionTickets").value ?? TICKETS;
    const ciphers = last("ciphers").value;
    const sources = this.#sources(certificates);
    return {
      ...sources,
      ...(sources.certificates === "self-signed" && { hosts }),
      alpn: [last("alpn").value ?? []].flat(),
      client,
      ca: [ca.value ?? []].flat().map((file) => this.#absolute(file, ca.path)),
      minVersion: last("minVersion").value ?? "TLSv1.2",
      ...(ciphers !== undefined && { ciphers }),
      tickets: tickets === false ? 0 : tickets,
    };
  }

  #sources({ block, path }: Said): Pick<TlsPlan, "certificates" | "folder" | "default"> {
    const { cert, key, ocsp, certificates = [], folder, default: first } = block;
    if (certificates === "self-signed") {
      for (const other of ["cert", "key", "ocsp", "folder", "default"] as const) {
        if (block[other] === undefined) continue;
        const text = "one of the two: a self-signed certificate is made, and is in no file";
        this.#tell([...path, other], `${show(other)} beside "self-signed"`, text, "key");
      }
      return { certificates };
    }
    const pairs: TlsFiles[] = [];
    if (cert !== undefined && key !== undefined) {
      pairs.push(this.#files({ cert, key, ocsp }, path));
    } else if (cert !== undefined) this.#tell(path, '"cert" without "key"', FILES.key);
    else if (key !== undefined) this.#tell(path, '"key" without "cert"', FILES.cert);
    else if (ocsp !== undefined) this.#tell(path, '"ocsp" without "cert"', FILES.cert);
    for (const [index, pair] of certificates.entries()) {
      pairs.push(this.#files(pair, [...path, "certificates", index]));
    }
    return {
      certificates: pairs,
      ...(folder !== undefined && { folder: this.#absolute(folder, [...path, "folder"]) }),
      ...(first !== undefined && { default: first.toLowerCase() }),
    };
  }

  #files({ cert, key, ocsp }: Files, path: Path): TlsFiles {
    return {
      cert: this.#absolute(cert, path),
      key: this.#absolute(key, path),
      ...(ocsp !== undefined && { ocsp: this.#absolute(ocsp, path) }),
    };
  }

  /** Relative paths start at the folder of the file in which they stand. */
  #absolute(file: string, path: Path): string {
    return resolve(folderAt(this.#problems.source, path), file);
  }

  #tell(path: Path, received: string, expected: string, part: "key" | "value" = "value"): void {
    const key = JSON.stringify([path, received]);
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#problems.add(path, received, expected, { part });
  }
}

/** A pair, as a manifest has it. */
interface Files {
  readonly cert: string;
  readonly key: string;
  readonly ocsp?: string | undefined;
}

const FILES = {
  cert: '"cert": the file of the certificate, PEM',
  key: '"key": the file of its private key, PEM, which may be the same one',
} as const;

/** Whether an endpoint cannot be without it. */
function isAlways({ transport }: Endpoint): boolean {
  return transport === "tls" || transport === "https";
}

/** What is spoken at `https`. */
const HTTP: readonly string[] = ["h2", "http/1.1"];

/** Whoever offers other protocols than HTTP is told, and not left to find out. */
function ofHttp(plan: TlsPlan): TlsPlan {
  return plan.alpn.length === 0 ? { ...plan, alpn: ["http/1.1"] } : plan;
}

function said(block: CheckedEndpointTls | undefined, path: Path): Said[] {
  if (block === undefined || block === true) return [];
  return [{ path, block: block === "self-signed" ? { certificates: block } : block }];
}

/** They are one whole: those of a service are not mixed with those of `defaults`. */
function namesCertificates({ cert, key, ocsp, certificates, folder }: TlsBlock): boolean {
  return [cert, key, ocsp, certificates, folder].some((one) => one !== undefined);
}
