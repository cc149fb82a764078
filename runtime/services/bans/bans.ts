/**
 * Who is shut out of all services of a server, whatever the transport and the strategy. There is one
 * table, where the sockets are; the admission of each service asks it, and what bans is told to it, in the
 * same turn: a ban is in force for the next who comes.
 */
import type { Candidate, Refusal } from "../../core/admission/candidate.ts";
import {
  type Gate,
  type Offence,
  type Offended,
  type Offender,
  SENSOR,
} from "../../core/admission/gate.ts";
import { type Network, networkOf, NetworkTable } from "./network.ts";
import type { SourcePrefixes } from "../../core/access/source.ts";
import { type Clock, SYSTEM_CLOCK, type Timer } from "../../core/clock.ts";
import { Address } from "../../core/endpoint.ts";
import { PorticoError } from "../../core/errors.ts";
import type { BansPlan, ServicePlan } from "../../core/plan.ts";
import { DURATION_MAX } from "../../core/units.ts";
import {
  type Ban,
  type BanChange,
  type BanInForce,
  nameOf,
  networkFrom,
  type Tell,
} from "./ban.ts";
import { counts, describeOffence, OffencesByService } from "./offences.ts";
import { Looking, type SourceCounts } from "./source-counts.ts";
import { Spared } from "./spared.ts";

/** Nothing else happens more often than that, in ms, for the end of bans. */
const SWEEP = 1000;

interface Entry extends Ban {
  readonly network: Network;
  /** In ms of the clock, which nobody sets. */
  readonly ends: number;
  readonly refusal: Refusal;
  refused: number;
}

export class Bans implements Gate {
  asks = false;
  /** Everybody who is banned has a record. */
  tell: Tell = () => {};
  /** Are told of every change. */
  readonly watchers: Set<(change: BanChange) => void> = new Set();
  readonly #clock: Clock;
  readonly #table: NetworkTable<Entry> = new NetworkTable();
  readonly #all: Map<string, Entry> = new Map();
  /** Those that a service has made, in the order in which they were. */
  readonly #made: Set<Entry> = new Set();
  readonly #offences: OffencesByService = new OffencesByService();
  #most = 10_000;
  #spared: Spared = new Spared();
  #timer: Timer | undefined = undefined;
  #wakes = Infinity;
  #looking: Looking | undefined = undefined;

  constructor(clock: Clock = SYSTEM_CLOCK) {
    this.#clock = clock;
  }

  /** What a manifest says, from here on. Who is never banned any more is let in again. */
  configure({ most, never }: BansPlan, services: readonly ServicePlan[]): void {
    this.#most = most;
    this.#spared = new Spared(never);
    this.#offences.keep(services);
    for (const entry of [...this.#all.values()]) {
      if (this.#spared.is(entry.network)) this.#lift(entry, "never");
    }
    while (this.#all.size > this.#most && this.#forgetOne());
  }

  /** How many are in force. */
  get size(): number {
    return this.#all.size;
  }

  /** Whether one is that is about exactly this source, by its name in records. */
  has(source: string): boolean {
    return this.#all.has(source);
  }

  refuses({ remote }: Candidate, prefixes: SourcePrefixes, again = false): Refusal | undefined {
    if (!again) this.#looking?.counts.arrived(nameOf(remote, prefixes));
    if (this.#all.size === 0) return undefined;
    const found = this.#of(remote);
    if (found === undefined) return undefined;
    found.refused++;
    return found.refusal;
  }

  /** The ban that is about a peer, if one is in force. */
  #of(remote: Address): Entry | undefined {
    const found = this.#table.find(remote, this.#clock);
    return found !== undefined && this.#spared.has(remote) ? undefined : found;
  }

  // What bans.

  /** What a service tells of its peers. */
  offendedBy(plan: ServicePlan): Offended {
    return (peer, what) => this.#offended(plan, peer, what);
  }

  #offended(plan: ServicePlan, peer: Offender, what: Offence): void {
    const { ban, limits } = plan;
    if (this.#looking !== undefined && !("offence" in what)) {
      this.#looking.counts.refused(nameOf(peer.remote, limits.source));
    }
    if (ban === undefined || !counts(what)) return;
    if (peer.kind === "datagram" && !ban.datagrams) return;
    const sensed = what === SENSOR;
    if (!sensed && ban.after === undefined) return;
    const network = networkOf(peer.remote, limits.source);
    if (network === undefined || this.#spared.has(peer.remote)) return;
    if (!sensed && !this.#offences.add(plan, network.text, this.#clock.now())) return;
    const cause = sensed ? "sensor" : `${ban.after!.text}: ${describeOffence(what)}`;
    const since = this.#clock.wall();
    // Who is in still may offend again: that changes nothing.
    if (this.#all.has(network.text)) return;
    this.#add(network, { source: network.text, since, for: ban.for, cause, service: plan.name });
  }

  /**
   * An operator bans somebody; a ban of the same source is replaced.
   *
   * @param ms Infinity until it is lifted.
   * @throws PorticoError USAGE for what is no source, who is never banned, or where there is no room.
   */
  ban(text: string, ms: number, cause: string): BanInForce {
    const network = networkFrom(text);
    if (this.#spared.is(network)) {
      throw new PorticoError("USAGE", `${network.text} is never banned: access.never names it`);
    }
    const before = this.#all.get(network.text);
    if (before === undefined && this.#all.size >= this.#most && this.#made.size === 0) {
      throw new PorticoError("USAGE", `there are ${this.#most} bans already, which is bans.most`);
    }
    const since = this.#clock.wall();
    return this.#shown(this.#add(network, { source: network.text, since, for: ms, cause }));
  }

  /** Bans that were made before, by another server or before a restart. What has ended is left out. */
  adopt(bans: readonly Ban[]): void {
    const wall = this.#clock.wall();
    for (const ban of bans) {
      // A clock that was set back prolongs no ban beyond its length.
      const left = Math.min(ban.since + ban.for - wall, ban.for);
      const network = networkFrom(ban.source);
      if (left <= 0 || this.#spared.is(network)) continue;
      this.#add(
        network,
        { ...ban, source: network.text, since: Math.min(ban.since, wall) },
        left,
        true,
      );
    }
  }

  /** @param quiet whoever has made it has told of it. */
  #add(network: Network, ban: Ban, left: number = ban.for, quiet = false): Entry {
    const before = this.#all.get(network.text);
    if (before !== undefined) this.#remove(before);
    while (this.#all.size >= this.#most && this.#forgetOne());
    const until = left === Infinity ? undefined : new Date(ban.since + ban.for).toISOString();
    const entry: Entry = {
      ...ban,
      network,
      ends: this.#clock.now() + left,
      refusal: { rule: "ban", ...(until !== undefined && { until }) },
      refused: 0,
    };
    this.#table.set(network, entry);
    this.#all.set(network.text, entry);
    if (ban.service !== undefined) this.#made.add(entry);
    this.asks = true;
    this.#wakeAt(entry.ends);
    const { source, service, cause } = ban;
    if (!quiet) {
      const of = service !== undefined && { service };
      this.tell("warn", "ban", { ...of, source, cause, ...(until !== undefined && { until }) });
    }
    this.#changed({ ban });
    return entry;
  }

  // What lifts bans.

  /** Lifts one, or all. @returns whose it were. @throws PorticoError USAGE for who is not banned. */
  unban(text: string | undefined): readonly string[] {
    if (text === undefined) {
      const all = [...this.#all.values()];
      for (const entry of all) this.#lift(entry, "control");
      return all.map(({ source }) => source);
    }
    const { text: source } = networkFrom(text);
    const entry = this.#all.get(source);
    if (entry === undefined) throw new PorticoError("USAGE", this.#noBan(source));
    this.#lift(entry, "control");
    return [source];
  }

  #noBan(source: string): string {
    const [host = "", prefix] = source.split("/");
    const about = prefix === undefined && !source.startsWith("uid:")
      ? this.#of(new Address("tcp", host, 0, ""))
      : undefined;
    const by = about === undefined ? "" : `, but ${about.source} is, which it is one of`;
    return `${source} is not banned${by}`;
  }

  /** The one that a service has made first: when there is no room, it goes. False where there is none. */
  #forgetOne(): boolean {
    const [first] = this.#made;
    if (first !== undefined) this.#lift(first, "most");
    return first !== undefined;
  }

  #lift(entry: Entry, reason: "over" | "control" | "most" | "never"): void {
    this.#remove(entry);
    const { source, service, refused } = entry;
    this.tell("info", "unban", {
      ...(service !== undefined && { service }),
      source,
      reason,
      refused,
    });
    this.#changed({ unban: source });
  }

  #remove(entry: Entry): void {
    this.#table.delete(entry.network);
    this.#all.delete(entry.source);
    this.#made.delete(entry);
    this.#update();
  }

  #update(): void {
    this.asks = this.#all.size > 0 || this.#looking !== undefined;
    if (this.#all.size === 0) this.#rest();
  }

  #changed(change: BanChange): void {
    for (const watcher of this.watchers) watcher(change);
  }

  // The one timer.

  #wakeAt(ends: number): void {
    if (ends >= this.#wakes) return;
    this.#rest();
    this.#wakes = ends;
    const left = Math.min(Math.max(ends - this.#clock.now(), 1), DURATION_MAX);
    this.#timer = this.#clock.setTimeout(() => this.#sweep(), Math.ceil(left));
  }

  #rest(): void {
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
    this.#wakes = Infinity;
  }

  #sweep(): void {
    this.#rest();
    const now = this.#clock.now();
    let next = Infinity;
    for (const entry of [...this.#all.values()]) {
      if (entry.ends <= now) this.#lift(entry, "over");
      else next = Math.min(next, entry.ends);
    }
    if (next !== Infinity) this.#wakeAt(Math.max(next, now + SWEEP));
  }

  // Those who look on.

  /** All that are in force, the oldest first. */
  list(): BanInForce[] {
    const now = this.#clock.now();
    return [...this.#all.values()].filter(({ ends }) => ends > now).map((entry) =>
      this.#shown(entry)
    );
  }

  /** The ban that is about a peer, as {@link list} has it. */
  shownOf(remote: Address): BanInForce | undefined {
    const found = this.#of(remote);
    return found === undefined ? undefined : this.#shown(found);
  }

  #shown({ source, since, cause, service, refused, ends, for: length }: Entry): BanInForce {
    const left = ends - this.#clock.now();
    // When the clock on the wall was set meanwhile, what is left is what counts.
    const now = Math.round(this.#clock.wall() + left);
    const said = since + length;
    const until = left === Infinity || Math.abs(now - said) < 1000 ? said : now;
    return { source, since, for: length, until, cause, ...(service && { service }), refused };
  }

  /** What came from whom since somebody looks on, which begins with this. */
  look(): SourceCounts {
    this.#looking ??= new Looking(this.#clock, () => {
      this.#looking = undefined;
      this.#update();
    });
    this.#looking.prolong();
    this.asks = true;
    return this.#looking.counts;
  }

  /** Nothing is left to be done. */
  close(): void {
    this.#rest();
    this.#looking?.end();
  }
}
