/** Bans and limits, as an operator asks about them. */
import type { Chances, PolicyControl, SourceStatus } from "../control/policy.ts";
import type { SourcePrefixes } from "../core/access/source.ts";
import { fullnessOf } from "../core/admission/fullness.ts";
import type { Address } from "../core/endpoint.ts";
import { PorticoError } from "../core/errors.ts";
import { decidesByUser } from "../core/plan.ts";
import { nameOf } from "../services/bans/ban.ts";
import type { Bans } from "../services/bans/bans.ts";
import { type StoredBan, storedBan } from "../services/bans/stored.ts";
import type { Server } from "./server.ts";

/** What may be a Unix socket of streams. */
const UNIX: ReadonlySet<string> = new Set(["unix", "fd", "systemd"]);

const NOBODY_ASKS =
  'no service asks who comes over its Unix sockets: "bans": {} in the manifest has all of them ask';

/** Sources that are told of at once. */
const SOURCES_MAX = 10_000;

export class Policy implements PolicyControl {
  readonly #server: Pick<Server, "bans" | "running">;

  constructor(server: Pick<Server, "bans" | "running">) {
    this.#server = server;
  }

  get #bans(): Bans {
    return this.#server.bans;
  }

  bans(): StoredBan[] {
    return this.#bans.list().map(storedBan);
  }

  ban(source: string, ms: number, cause: string): StoredBan {
    const asked = this.#server.running.some(({ plan }) =>
      decidesByUser(plan) && plan.listen.some(({ endpoint }) => UNIX.has(endpoint.transport))
    );
    if (source.startsWith("uid:") && !asked) throw new PorticoError("USAGE", NOBODY_ASKS);
    return storedBan(this.#bans.ban(source, ms, cause));
  }

  unban(source: string | undefined): readonly string[] {
    return this.#bans.unban(source);
  }

  async top(): Promise<SourceStatus[]> {
    const looking = this.#bans.look();
    const sources = new Sources();
    await Promise.all(
      this.#server.running.map((running) => running.visitSessions(sources.session)),
    );
    for (const [name, { arrived, refused }] of looking.entries()) {
      const source = sources.of(name);
      source.arrived += arrived;
      source.refused += refused;
    }
    return sources.list();
  }

  explain(service: string, remote: Address): Chances {
    const found = this.#server.running.find(({ plan }) => plan.name === service);
    const ban = this.#bans.shownOf(remote);
    const limits = found === undefined ? [] : fullnessOf(found.admission, remote);
    return { ...(ban !== undefined && { ban: storedBan(ban) }), limits };
  }
}

type Mutable<Value> = { -readonly [Key in keyof Value]: Value[Key] };

/** Sums up by source. */
class Sources {
  readonly #all: Map<string, Mutable<SourceStatus>> = new Map();

  of(source: string): Mutable<SourceStatus> {
    let found = this.#all.get(source);
    if (found === undefined) {
      const nothing = { sessions: 0, bytesIn: 0, bytesOut: 0, arrived: 0, refused: 0 };
      this.#all.set(source, found = { source, ...nothing });
    }
    return found;
  }

  readonly session = (
    remote: Address,
    prefixes: SourcePrefixes,
    bytesIn: number,
    bytesOut: number,
  ): void => {
    const source = this.of(nameOf(remote, prefixes));
    source.sessions++;
    source.bytesIn += bytesIn;
    source.bytesOut += bytesOut;
  };

  /** Where there are too many, those that have least are left out. */
  list(): SourceStatus[] {
    const all = [...this.#all.values()];
    if (all.length <= SOURCES_MAX) return all;
    const weight = (one: SourceStatus): number => one.sessions + one.refused + one.arrived;
    return all.sort((a, b) => weight(b) - weight(a)).slice(0, SOURCES_MAX);
  }
}
