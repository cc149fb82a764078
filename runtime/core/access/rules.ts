/**
 * Decides by address, or by who a peer of this machine is, and by the time of day, who may be served.
 * Pure: an address and a time in, a verdict out; nothing is made for it.
 */
import { type Address, KnownPeer } from "../endpoint.ts";
import type { Access, AccessRule } from "../plan.ts";
import { type Family, readIp } from "../ip.ts";
import { type IpRange, parseRange } from "./ip.ts";
import { type Entry, RangeTable } from "./table.ts";
import { parseTimes, Times } from "./times.ts";

/** Whom a rule is about: addresses, a user or group of this machine, a host, the hosts of a domain. */
export type Subject =
  | IpRange
  | { readonly uid: number }
  | { readonly gid: number }
  | { readonly host: string }
  | { readonly domain: string };

/** What was decided, and by what; each is made once. */
export interface Verdict {
  readonly served: boolean;
  /** Undefined where no rule is about the peer. */
  readonly rule: AccessRule | undefined;
  /** As a `refuse` record has it: `deny 10.0.0.0/8`, `not in allow`. */
  readonly text: string;
}

/** A rule that was read. */
export interface Compiled {
  readonly rule: AccessRule;
  readonly verdict: Verdict;
  readonly times: Times | undefined;
  /** Of an `allow` outside its hours, where nobody else is about the peer. */
  readonly early: Verdict | undefined;
}

/** One about addresses. */
export type CompiledRange = Compiled & Entry;

/** One about a name. */
export type CompiledName = Compiled & Pick<Entry, "order">;

const OTHERS: Verdict = { served: true, rule: undefined, text: "no rule" };
const NOBODY: Verdict = { served: false, rule: undefined, text: "not in allow" };

/** The kernel does not know who it is, and rules are about that. */
const STRANGER: Verdict = { served: false, rule: undefined, text: "user unknown" };

/**
 * Reads whom a rule is about.
 *
 * @throws SyntaxError whose message says what was received and what would be right.
 */
export function parseSubject(text: string): Subject {
  const local = /^(uid|gid):(\d{1,10})$/.exec(text);
  if (local !== null && Number(local[2]) < 2 ** 32 - 1) {
    return local[1] === "uid" ? { uid: Number(local[2]) } : { gid: Number(local[2]) };
  }
  if (text.startsWith("host:")) return { host: text.slice(5) };
  if (text.startsWith("domain:")) return { domain: text.slice(7) };
  return parseRange(text);
}

/**
 * The rules of one service. The smallest range that is about a peer decides, `deny` where both are as
 * small. Those about names are about nobody here: `names/rules.ts` has them, nor are those about
 * certificates, which `handshake/certificates.ts` has.
 */
export class AccessRules {
  /** By kind; for those that explain. */
  readonly compiled: CompiledAccess;
  readonly #ipv4: RangeTable<CompiledRange> | undefined;
  readonly #ipv6: RangeTable<CompiledRange> | undefined;
  readonly #users: ReadonlyMap<number, readonly Compiled[]>;
  readonly #groups: ReadonlyMap<number, readonly Compiled[]>;
  readonly #others: Verdict;
  readonly #otherPeers: Verdict;
  readonly #words: Uint32Array = new Uint32Array(4);
  /** True when everybody is served: then nothing has to be asked. */
  readonly empty: boolean;
  /** Whether anything depends on the time of day. */
  readonly timed: boolean;

  /** @throws SyntaxError naming the rule that cannot be read. */
  constructor(access: Access) {
    const { rules } = access;
    const others = access.others || onlyCertificates(rules);
    const { ipv4, ipv6, users, groups } = this.compiled = compileAccess(rules);
    this.#ipv4 = ipv4.length === 0 ? undefined : new RangeTable(4, ipv4);
    this.#ipv6 = ipv6.length === 0 ? undefined : new RangeTable(6, ipv6);
    this.#users = users;
    this.#groups = groups;
    this.#others = others ? OTHERS : NOBODY;
    // Addresses say nothing of peers of this machine: then the mode of their socket's file decides.
    const aboutPeers = [...users.values(), ...groups.values()].flat();
    const allowed = aboutPeers.some(({ rule }) => rule.action === "allow");
    const nobody = !others && !rules.some(({ action }) => action === "allow");
    this.#otherPeers = allowed || nobody ? NOBODY : OTHERS;
    this.empty = others && rules.every(isAboutCertificates);
    this.timed = rules.some(({ times }) => times !== undefined);
  }

  /** Whether Unix peers have to be asked who they are. */
  get asksCredentials(): boolean {
    return this.#users.size + this.#groups.size > 0;
  }

  /** @param wall the time of day, in ms since 1970; asked for by rules with `times` only. */
  decide(remote: Address, wall: number): Verdict {
    return remote.host === ""
      ? this.#decidePeer(remote, wall)
      : this.#decideHost(remote.host, wall);
  }

  #decideHost(host: string, wall: number): Verdict {
    const rules = this.covering(host);
    return holding(rules, wall)?.verdict ?? this.otherwise(rules);
  }

  /** What is about an address, the smallest first, as far as somebody may have to ask; not to be changed. */
  covering(host: string): readonly CompiledRange[] {
    const family: Family = readIp(host, this.#words);
    const table = family === 4 ? this.#ipv4 : family === 6 ? this.#ipv6 : undefined;
    return table === undefined ? NONE : table.covering(this.#words);
  }

  /** Rules about a peer, in the order in which they are asked. */
  about(remote: Address): readonly Compiled[] {
    if (remote.host !== "") return this.covering(remote.host);
    if (!(remote instanceof KnownPeer)) return NONE;
    const { uid, gid } = remote.credentials;
    return [...this.#users.get(uid) ?? NONE, ...this.#groups.get(gid) ?? NONE];
  }

  /** Of a host that no rule lets in or refuses now. */
  otherwise(rules: readonly Compiled[]): Verdict {
    return otherwise(this.#others, rules);
  }

  #decidePeer(remote: Address, wall: number): Verdict {
    if (!this.asksCredentials) return this.#otherPeers;
    if (!(remote instanceof KnownPeer)) return STRANGER;
    const { uid, gid } = remote.credentials;
    const mine = this.#users.get(uid) ?? NONE;
    const shared = this.#groups.get(gid) ?? NONE;
    return (holding(mine, wall) ?? holding(shared, wall))?.verdict ??
      otherwise(otherwise(this.#otherPeers, mine), shared);
  }
}

const NONE: readonly never[] = [];

/** Nobody knows it before TLS has begun. */
function isAboutCertificates({ subject }: AccessRule): boolean {
  return subject.startsWith("cert:");
}

/** Whether all that are let in are told by their certificates: then none is refused for its address alone. */
function onlyCertificates(rules: readonly AccessRule[]): boolean {
  const allowed = rules.filter(({ action }) => action === "allow");
  return allowed.length > 0 && allowed.every(isAboutCertificates);
}

/** The first that holds now. */
export function holding<Rule extends Compiled>(
  rules: readonly Rule[],
  wall: number,
): Rule | undefined {
  for (const rule of rules) if (rule.times === undefined || rule.times.open(wall)) return rule;
  return undefined;
}

/** Where no rule holds now: who would be served at another time is told so. */
function otherwise(others: Verdict, rules: readonly Compiled[]): Verdict {
  if (others.served) return others;
  for (const { early } of rules) if (early !== undefined) return early;
  return others;
}

/** Rules by whom they are about, each list in the order in which it is asked. */
export interface CompiledAccess {
  readonly ipv4: readonly CompiledRange[];
  readonly ipv6: readonly CompiledRange[];
  readonly users: ReadonlyMap<number, readonly Compiled[]>;
  readonly groups: ReadonlyMap<number, readonly Compiled[]>;
  readonly hosts: ReadonlyMap<string, readonly CompiledName[]>;
  readonly domains: ReadonlyMap<string, readonly CompiledName[]>;
}

function compileAccess(rules: readonly AccessRule[]): CompiledAccess {
  const ranges: { readonly 4: CompiledRange[]; readonly 6: CompiledRange[] } = { 4: [], 6: [] };
  const users = new Map<number, Compiled[]>();
  const groups = new Map<number, Compiled[]>();
  const hosts = new Map<string, CompiledName[]>();
  const domains = new Map<string, CompiledName[]>();
  // Of rules about the same, `deny` comes first, then what stands first.
  const order = [...rules].sort((a, b) =>
    Number(a.action === "allow") - Number(b.action === "allow")
  );
  for (const [index, rule] of order.entries()) {
    if (isAboutCertificates(rule)) continue;
    const subject = parseSubject(rule.subject);
    const compiled = compile(rule);
    if ("uid" in subject) add(users, subject.uid, compiled);
    else if ("gid" in subject) add(groups, subject.gid, compiled);
    else if ("host" in subject) add(hosts, subject.host, { ...compiled, order: index });
    else if ("domain" in subject) add(domains, subject.domain, { ...compiled, order: index });
    else {
      const conditional = compiled.times !== undefined;
      ranges[subject.family].push({ ...compiled, ...subject, order: index, conditional });
    }
  }
  return { ipv4: ranges[4], ipv6: ranges[6], users, groups, hosts, domains };
}

/** Reads the terms of a rule. */
export function compile(rule: AccessRule): Compiled {
  const { action, text, times } = rule;
  const served = action === "allow";
  const hours = times?.join(", ");
  return {
    rule,
    verdict: { served, rule, text: `${action} ${text}` },
    times: times === undefined ? undefined : new Times(times.map(parseTimes)),
    early: served && hours !== undefined
      ? { served: false, rule, text: `allow ${text}, only ${hours}` }
      : undefined,
  };
}

function add<Key, Rule>(map: Map<Key, Rule[]>, key: Key, value: Rule): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
