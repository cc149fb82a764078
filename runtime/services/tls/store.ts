/** The certificates of all services of a server: read at the start, and anew when their files change. */
import { type Clock, SYSTEM_CLOCK } from "../../core/clock.ts";
import type { TlsPlan } from "../../core/plan.ts";
import type { Certificates } from "../contract.ts";
import type { CertificateStatus } from "../status.ts";
import { ExpiryWatch } from "./expiry.ts";
import { TlsFileReader } from "./files.ts";
import { HeldCertificates, type Tell } from "./held.ts";
import { type Pair, statusOf } from "./pair.ts";
import type { StoredKey } from "./tickets.ts";

/** Calls back when any of the files has changed and come to rest. @returns ends that. */
export type WatchFiles = (files: () => readonly string[], changed: () => void) => () => void;

/** What a store is made of. */
export interface StoreInput {
  readonly watch: WatchFiles;
  readonly tell: Tell;
  readonly clock?: Clock;
}

/** By the text of the plan. */
export type StoredKeys = Readonly<Record<string, StoredKey>>;

export class CertificateStore {
  readonly #input: StoreInput;
  readonly #clock: Clock;
  readonly #reader = new TlsFileReader();
  readonly #held = new Map<string, Promise<HeldCertificates>>();
  readonly #ready = new Map<string, HeldCertificates>();
  /** Certificates that were made, by the hosts that they are for. */
  readonly #made = new Map<string, Promise<Pair>>();
  readonly #expiry: ExpiryWatch;
  #endWatch: (() => void) | undefined = undefined;
  #predecessor: StoredKeys = {};

  constructor(input: StoreInput) {
    this.#input = input;
    this.#clock = input.clock ?? SYSTEM_CLOCK;
    this.#expiry = new ExpiryWatch(this.#clock, input.tell, () => this.pairs());
  }

  /** See {@link Host.certificates}. */
  readonly get = (plan: TlsPlan): Promise<Certificates> => {
    const key = keyOf(plan);
    let held = this.#held.get(key);
    if (held === undefined) {
      held = this.#open(plan, key);
      this.#held.set(key, held);
      held.catch(() => void this.#held.delete(key));
    }
    return held;
  };

  async #open(plan: TlsPlan, key: string): Promise<HeldCertificates> {
    const { tell } = this.#input;
    const made = plan.certificates === "self-signed" ? await this.#selfSigned(plan) : undefined;
    const ticketKey = this.#predecessor[key];
    const [clock, reader] = [this.#clock, this.#reader];
    const held = new HeldCertificates({ plan, reader, clock, tell, made, ticketKey });
    this.#ready.set(key, held);
    if (made === undefined) this.#watch();
    this.#expiry.look();
    return held;
  }

  /** One for the same hosts, in whatever way TLS is spoken there. */
  #selfSigned(plan: TlsPlan): Promise<Pair> {
    const hosts = JSON.stringify(plan.hosts);
    let made = this.#made.get(hosts);
    if (made === undefined) {
      made = import("./self-signed.ts").then(({ selfSigned }) =>
        selfSigned(plan, this.#clock, this.#input.tell)
      );
      this.#made.set(hosts, made);
    }
    return made;
  }

  #watch(): void {
    this.#endWatch ??= this.#input.watch(
      () => [...this.#ready.values()].flatMap((held) => held.files()),
      () => this.#refresh(false),
    );
  }

  /** Reads all files anew: somebody has asked for it. */
  refresh(): void {
    this.#refresh(true);
  }

  #refresh(asked: boolean): void {
    const stale = this.#reader.stale.size;
    for (const held of this.#ready.values()) held.refresh(asked);
    this.#expiry.look();
    if (this.#reader.stale.size <= stale) return;
    const files = [...this.#reader.stale].join(", ");
    const message =
      `${files}: no permission to read it any more; what was read before stays in use`;
    this.#input.tell("warn", "error", { code: "EACCES", message, side: "host" });
  }

  /** Of all, each once. */
  pairs(): Pair[] {
    const found = [...this.#ready.values()].flatMap(({ pairs }) => pairs);
    return [...new Map(found.map((pair) => [pair.fingerprint, pair])).values()];
  }

  status(): CertificateStatus[] {
    return this.pairs().map(statusOf);
  }

  /** What no service has any more is forgotten. */
  keep(plans: readonly TlsPlan[]): void {
    const wanted = new Set(plans.map(keyOf));
    for (const [key, held] of this.#ready) {
      if (wanted.has(key)) continue;
      held.close();
      this.#ready.delete(key);
      this.#held.delete(key);
    }
    const hosts = new Set(plans.map((plan) => JSON.stringify(plan.hosts)));
    for (const key of this.#made.keys()) if (!hosts.has(key)) this.#made.delete(key);
    this.#reader.keep(new Set([...this.#ready.values()].flatMap((held) => held.files())));
  }

  /** For a successor, which resumes the sessions of this server. */
  ticketKeys(): StoredKeys {
    const keys = [...this.#ready].map(([key, held]) => [key, held.ticketKey()] as const);
    return Object.fromEntries(keys.filter(([, stored]) => stored !== undefined)) as StoredKeys;
  }

  /** What a predecessor has said, before anything is opened. */
  succeed(keys: StoredKeys): void {
    this.#predecessor = keys;
  }

  close(): void {
    this.#endWatch?.();
    this.#expiry.close();
    this.keep([]);
  }
}

function keyOf(plan: TlsPlan): string {
  return JSON.stringify(plan);
}
