/** The certificates of one plan: what is in use, and what becomes of it when files change. */
import type { Clock, Timer } from "../../core/clock.ts";
import { PorticoError } from "../../core/errors.ts";
import type { TlsFiles, TlsPlan } from "../../core/plan.ts";
import type { Fields, Level } from "../../core/record.ts";
import type { TlsServerOptions } from "../../core/tls.ts";
import type { Certificates } from "../contract.ts";
import { certificatesIn, invalid, type TlsFileReader } from "./files.ts";
import { emptyFolder, pairsIn } from "./folder.ts";
import { checkTime, type Pair, readPair, statusOf } from "./pair.ts";
import { type StoredKey, TicketKeys } from "./tickets.ts";

/** Writes a record of the whole server. */
export type Tell = (level: Level, event: "log" | "error", fields: Fields) => void;

/** What it is made of. */
export interface HeldInput {
  readonly plan: TlsPlan;
  readonly reader: TlsFileReader;
  readonly clock: Clock;
  readonly tell: Tell;
  /** One that was made, in the place of files. */
  readonly made: Pair | undefined;
  readonly ticketKey: StoredKey | undefined;
}

/** How long a pair that does not fit may take to be completed before it is told of, in ms. */
const PATIENCE = 2000;

export class HeldCertificates implements Certificates {
  readonly plan: TlsPlan;
  readonly #input: HeldInput;
  readonly #tickets: TicketKeys | undefined;
  readonly #listeners: Set<(options: TlsServerOptions) => void> = new Set();
  #pairs: readonly Pair[] = [];
  #ca: readonly string[] = [];
  #options: TlsServerOptions;
  /** What was told of those that a folder has, and nobody is shown. */
  readonly #leftOut: Set<string> = new Set();
  /** Why the files that are there are not in use. */
  #refused: string | undefined = undefined;
  #patience: Timer | undefined = undefined;

  /** @throws PorticoError TLS_INVALID. */
  constructor(input: HeldInput) {
    this.#input = input;
    this.plan = input.plan;
    const { plan, clock, ticketKey } = input;
    this.#read();
    this.#tickets = plan.tickets === 0
      ? undefined
      : new TicketKeys(clock, plan.tickets, () => this.#become(), ticketKey);
    this.#options = this.#make();
  }

  get options(): TlsServerOptions {
    return this.#options;
  }

  /** In use, the first one for whoever names nobody. */
  get pairs(): readonly Pair[] {
    return this.#pairs;
  }

  onChange(callback: (options: TlsServerOptions) => void): () => void {
    this.#listeners.add(callback);
    return () => void this.#listeners.delete(callback);
  }

  /** For a successor. */
  ticketKey(): StoredKey | undefined {
    return this.#tickets?.stored();
  }

  /** The files that it is made of, absolute; of a folder itself, with `/.` at its end. */
  files(): string[] {
    const { certificates, folder, ca } = this.plan;
    const pairs = certificates === "self-signed" ? [] : [...certificates];
    if (folder !== undefined) pairs.push(...safely(() => pairsIn(folder)));
    return [
      ...pairs.flatMap(({ cert, key, ocsp }) => [cert, key, ...(ocsp === undefined ? [] : [ocsp])]),
      ...ca,
      ...(folder === undefined ? [] : [`${folder}/.`]),
    ];
  }

  /**
   * Reads the files anew. What is wrong changes nothing, and leaves a record: at once where somebody has asked
   * for it; else in a while, since the second file of a pair may be on its way.
   */
  refresh(asked: boolean): void {
    const { clock, tell } = this.#input;
    clock.clear(this.#patience);
    this.#patience = undefined;
    const [pairs, ca] = [this.#pairs, this.#ca];
    const before = keyOf(pairs, ca);
    try {
      this.#read();
    } catch (error) {
      if (!(error instanceof PorticoError)) throw error;
      [this.#pairs, this.#ca] = [pairs, ca];
      if (asked) this.#refuse(error);
      else this.#patience = clock.setTimeout(() => this.refresh(true), PATIENCE);
      return;
    }
    this.#refused = undefined;
    if (keyOf(this.#pairs, this.#ca) === before) return;
    this.#become();
    const known = new Set(pairs.map(({ fingerprint }) => fingerprint));
    for (const pair of this.#pairs.filter(({ fingerprint }) => !known.has(fingerprint))) {
      tell("info", "log", { message: "a new certificate is in use", ...statusOf(pair) });
    }
  }

  #refuse({ code, message, hint }: PorticoError): void {
    const text = `${message}${
      hint === undefined ? "" : `; ${hint}`
    }; what was read before stays in use`;
    if (text === this.#refused) return;
    this.#refused = text;
    this.#input.tell("error", "error", { code, message: text, side: "config" });
  }

  close(): void {
    this.#input.clock.clear(this.#patience);
    this.#tickets?.close();
    this.#listeners.clear();
  }

  #read(): void {
    const { plan, made } = this.#input;
    const pairs = made === undefined ? this.#readPairs() : [made];
    if (plan.default !== undefined) putFirst(pairs, plan.default, plan);
    this.#ca = plan.ca.map((file) => this.#authorities(file));
    this.#pairs = pairs;
  }

  #readPairs(): Pair[] {
    const { plan: { certificates, folder }, clock, reader } = this.#input;
    const now = clock.wall();
    const listed = (certificates as readonly TlsFiles[]).map((files) => {
      const pair = readPair(files, reader);
      // One that is in use goes on being so; to begin with it is another thing.
      if (!this.#pairs.some(({ fingerprint }) => fingerprint === pair.fingerprint)) {
        checkTime(pair, now);
      }
      return pair;
    });
    const found = folder === undefined ? [] : this.#fromFolder(folder, now);
    if (folder !== undefined && listed.length + found.length === 0) emptyFolder(folder);
    return this.#warned([...listed, ...found]);
  }

  /** One of many whose time is over does not keep the others from being served. */
  #fromFolder(folder: string, now: number): Pair[] {
    return pairsIn(folder).map((files) => readPair(files, this.#input.reader)).filter((pair) => {
      try {
        checkTime(pair, now);
        return true;
      } catch (error) {
        if (this.#pairs.some(({ fingerprint }) => fingerprint === pair.fingerprint)) return true;
        const message = `${(error as PorticoError).message}; it is left out`;
        if (this.#leftOut.has(message)) return false;
        this.#leftOut.add(message);
        this.#input.tell("warn", "error", { code: "TLS_INVALID", message, side: "config" });
        return false;
      }
    });
  }

  #warned(pairs: Pair[]): Pair[] {
    const known = new Set(this.#pairs.map(({ warning }) => warning));
    for (const { warning } of pairs) {
      if (warning === undefined || known.has(warning)) continue;
      this.#input.tell("warn", "error", { code: "TLS_INVALID", message: warning, side: "config" });
    }
    return pairs;
  }

  #authorities(file: string): string {
    const { reader } = this.#input;
    return certificatesIn(file, reader.read(file, "ca"), "ca").map(({ pem }) => pem).join("");
  }

  #become(): void {
    this.#options = this.#make();
    for (const callback of this.#listeners) callback(this.#options);
  }

  #make(): TlsServerOptions {
    const { alpn, client, minVersion, ciphers, tickets } = this.plan;
    return {
      identities: this.#pairs.map(({ identity }) => identity),
      alpn,
      client,
      ca: this.#ca,
      minVersion,
      ciphers,
      sessionTimeout: Math.ceil(tickets / 1000),
      ticketKeys: this.#tickets?.key,
      formerTicketKeys: this.#tickets?.former,
    };
  }
}

/** Whether a name of a certificate is about a host, RFC 6125, 6.4.3. */
export function covers(name: string, host: string): boolean {
  if (!name.startsWith("*.")) return name === host;
  const dot = host.indexOf(".");
  return dot > 0 && host.slice(dot) === name.slice(1);
}

function putFirst(pairs: Pair[], host: string, { folder, certificates }: TlsPlan): void {
  const index = pairs.findIndex(({ identity }) =>
    identity.names.some((name) => covers(name, host))
  );
  if (index >= 0) return void pairs.unshift(...pairs.splice(index, 1));
  const names = pairs.flatMap(({ identity }) => identity.names);
  const where = folder ?? (certificates as readonly TlsFiles[])[0]?.cert ?? "";
  throw invalid(where, `no certificate for ${JSON.stringify(host)}`, `one of ${names.join(", ")}`);
}

/** Two that are equal are made of the same bytes. */
function keyOf(pairs: readonly Pair[], ca: readonly string[]): string {
  return JSON.stringify([
    pairs.map(({ identity: { cert, key, ocsp } }) => [cert, key, ocsp && [...ocsp]]),
    ca,
  ]);
}

function safely<Value>(read: () => Value[]): Value[] {
  try {
    return read();
  } catch {
    return [];
  }
}
