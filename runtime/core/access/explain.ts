/** What rules come to, for people: not on the way of a session. */
import { type Address, KnownPeer } from "../endpoint.ts";
import type { Access, AccessRule } from "../plan.ts";
import { readIp } from "../ip.ts";
import { AccessRules, type Compiled, type CompiledRange } from "./rules.ts";
import { compareEntries, RangeTable } from "./table.ts";

/** A rule that is about a peer. */
export interface RuleAbout {
  readonly rule: AccessRule;
  /** Whether it is in force at that time. */
  readonly holds: boolean;
}

/** The rules that are about a peer, in the order in which they are asked: the first that holds decides. */
export function rulesAbout(access: Access, remote: Address, wall: number): RuleAbout[] {
  const { ipv4, ipv6, users, groups } = new AccessRules(access).compiled;
  const about = (rules: readonly Compiled[]): RuleAbout[] =>
    rules.map(({ rule, times }) => ({ rule, holds: times?.open(wall) ?? true }));
  if (remote.host === "") {
    if (!(remote instanceof KnownPeer)) return [];
    const { uid, gid } = remote.credentials;
    return about([...users.get(uid) ?? [], ...groups.get(gid) ?? []]);
  }
  const words = new Uint32Array(4);
  const family = readIp(remote.host, words);
  const ranges = family === 4 ? ipv4 : family === 6 ? ipv6 : [];
  const covering = ranges.filter((range) =>
    // A table of one says whether it covers.
    new RangeTable(family as 4 | 6, [range]).covering(words).length > 0
  );
  return about(covering.toSorted(compareEntries));
}

/** A rule that decides about nobody, whenever, since the others do. */
export interface IdleRule {
  readonly rule: AccessRule;
  /** One that decides in its place. */
  readonly by: AccessRule;
  /** Both are about the same, and say the contrary. */
  readonly contradicts: boolean;
}

/** The rules that decide about nobody. */
export function idleRules(access: Access): IdleRule[] {
  const { ipv4, ipv6, users, groups } = new AccessRules(access).compiled;
  const idle = [
    ...idleRanges(4, ipv4),
    ...idleRanges(6, ipv6),
    ...[...users.values(), ...groups.values()].flatMap(idleOf),
  ];
  const places = new Map(access.rules.map((rule, index) => [rule, index]));
  return idle.sort((a, b) => places.get(a.rule)! - places.get(b.rule)!);
}

function idleRanges(family: 4 | 6, ranges: readonly CompiledRange[]): IdleRule[] {
  const table = new RangeTable(family, ranges);
  const asked = new Set(table.covers.flat());
  return ranges.filter((range) => !asked.has(range)).map((range) => {
    const by = table.coveringBits(range.first).at(-1)!;
    const same = by.first === range.first && by.last === range.last;
    return idleBy(range, by, same);
  });
}

/** Of rules about the same user: what comes after one that always holds. */
function idleOf(rules: readonly Compiled[]): IdleRule[] {
  const last = rules.findIndex(({ times }) => times === undefined);
  return last < 0 ? [] : rules.slice(last + 1).map((rule) => idleBy(rule, rules[last]!, true));
}

function idleBy({ rule }: Compiled, { rule: by }: Compiled, same: boolean): IdleRule {
  return { rule, by, contradicts: same && rule.action !== by.action };
}

/** Why a rule decides about nobody, in words; empty where there is nothing to say. */
export function describeIdle(idle: IdleRule | undefined): string {
  if (idle === undefined) return "";
  const { by, contradicts } = idle;
  const place = by.place === undefined ? "" : ` (${by.place})`;
  return `${contradicts ? "contradicted by" : "shadowed by"} ${by.action} ${by.text}${place}`;
}
