/**
 * Rules about names, beside those about addresses. A host is its addresses, as they are known now. A
 * domain is neither smaller nor larger than a range: where both are about a peer, `deny` decides.
 */
import type { Address } from "../endpoint.ts";
import type { Followed, Follower, HostNames } from "./hosts.ts";
import type { PeerNames } from "./peers.ts";
import { readIp } from "../ip.ts";
import {
  type AccessRules,
  type Compiled,
  type CompiledName,
  type CompiledRange,
  holding,
  type Verdict,
} from "../access/rules.ts";

/** What knows names: of one server. */
export interface Names {
  readonly hosts: HostNames;
  readonly peers: PeerNames;
}

/** One that is about a peer, whatever it knows of it. */
type About = CompiledRange | CompiledName;

const NOBODY: readonly never[] = [];

export class NamedRules {
  readonly peers: PeerNames;
  readonly #names: Names;
  readonly #rules: AccessRules;
  readonly #domains: ReadonlyMap<string, readonly CompiledName[]>;
  readonly #domainRules: readonly CompiledName[];
  readonly #domainDenies: readonly CompiledName[];
  /** By address of a host: all that is about it, the smallest first. */
  #at: ReadonlyMap<string, readonly About[]> = new Map();
  readonly #followed: Map<string, Followed> = new Map();
  /** By what {@link PeerNames} knows of one address: looked for once. */
  readonly #inDomains: WeakMap<readonly string[], readonly CompiledName[]> = new WeakMap();
  #unconcern: () => void = () => {};

  constructor(rules: AccessRules, names: Names) {
    this.#rules = rules;
    this.#names = names;
    this.peers = names.peers;
    this.#domains = rules.compiled.domains;
    this.#domainRules = [...this.#domains.values()].flat();
    this.#domainDenies = this.#domainRules.filter(({ rule }) => rule.action === "deny");
  }

  /**
   * Follows the hosts, until {@link end}. Resolves when each was answered once, or nobody could say
   * anything of it.
   */
  async begin(report: Follower["report"]): Promise<void> {
    this.#unconcern = this.#names.peers.concern(this.#domains.keys());
    const changed = (): void => this.#rebuild();
    for (const name of this.#rules.compiled.hosts.keys()) {
      this.#followed.set(name, this.#names.hosts.follow(name, { changed, report }));
    }
    this.#rebuild();
    await Promise.all([...this.#followed.values()].map(({ first }) => first));
  }

  end(): void {
    this.#unconcern();
    this.#unconcern = () => {};
    for (const followed of this.#followed.values()) followed.end();
    this.#followed.clear();
  }

  /** Hosts are few: all is made anew, when an address has changed. */
  #rebuild(): void {
    const found = new Map<string, { readonly address: string; readonly rules: CompiledName[] }>();
    for (const [name, rules] of this.#rules.compiled.hosts) {
      for (const address of this.#followed.get(name)?.addresses ?? NOBODY) {
        const key = canonical(address);
        const known = found.get(key);
        if (known === undefined) found.set(key, { address, rules: [...rules] });
        else known.rules.push(...rules);
      }
    }
    this.#at = new Map([...found].map(([key, { address, rules }]) => {
      const covering = this.#rules.covering(address);
      // Single addresses are as small as hosts are.
      const single = covering.filter(isExact);
      const others = covering.filter((rule) => !isExact(rule));
      return [key, [...[...single, ...rules].sort((a, b) => a.order - b.order), ...others]];
    }));
  }

  /** Rules about an address, those about a host that has it too. */
  covering(host: string): readonly About[] {
    if (this.#at.size === 0) return this.#rules.covering(host);
    return this.#at.get(canonical(host)) ?? this.#rules.covering(host);
  }

  /** Rules about hosts that have an address, `deny` first. */
  hostsAt(host: string): readonly CompiledName[] {
    const key = canonical(host);
    const found = [...this.#rules.compiled.hosts].filter(([name]) =>
      this.#followed.get(name)?.addresses.some((address) => canonical(address) === key)
    );
    return found.flatMap(([, rules]) => rules).sort((a, b) => a.order - b.order);
  }

  /** As {@link AccessRules.decide}; undefined when the peer's name has to be asked for first. */
  decide(remote: Address, wall: number): Verdict | undefined {
    if (remote.host === "") return this.#rules.decide(remote, wall);
    const about = this.covering(remote.host);
    const first = holding(about, wall);
    if (!this.#asks(first, wall)) return first?.verdict ?? this.#rules.otherwise(about);
    const names = this.peers.known(remote.host);
    return names === undefined ? undefined : this.#decideNamed(about, first, names, wall);
  }

  /** As {@link decide}, with what is known of its name. */
  decideNow(remote: Address, wall: number): Verdict {
    return this.decide(remote, wall) ??
      this.decideAs(remote, this.peers.latest(remote.host), wall);
  }

  /** Decides about a peer with these names. */
  decideAs(remote: Address, names: readonly string[], wall: number): Verdict {
    if (remote.host === "") return this.#rules.decide(remote, wall);
    const about = this.covering(remote.host);
    const first = holding(about, wall);
    if (!this.#asks(first, wall)) return first?.verdict ?? this.#rules.otherwise(about);
    return this.#decideNamed(about, first, names, wall);
  }

  /** Whether a domain may have something to say: not of whom an address, or a denied range decides. */
  #asks(first: About | undefined, wall: number): boolean {
    if (first === undefined) return holding(this.#domainRules, wall) !== undefined;
    return first.rule.action === "allow" && !isExact(first) &&
      holding(this.#domainDenies, wall) !== undefined;
  }

  #decideNamed(
    about: readonly About[],
    first: About | undefined,
    names: readonly string[],
    wall: number,
  ): Verdict {
    const domains = this.inDomains(names);
    const domain = holding(domains, wall);
    if (first === undefined) {
      return domain?.verdict ?? this.#rules.otherwise([...about, ...domains]);
    }
    return domain?.rule.action === "deny" ? domain.verdict : first.verdict;
  }

  /** Rules about the domains of some names, those of the longest first, `deny` where both are as long. */
  inDomains(names: readonly string[]): readonly CompiledName[] {
    if (names.length === 0) return NOBODY;
    let rules = this.#inDomains.get(names);
    if (rules === undefined) this.#inDomains.set(names, rules = this.#findDomains(names));
    return rules;
  }

  #findDomains(names: readonly string[]): readonly CompiledName[] {
    const found: { length: number; rule: CompiledName }[] = [];
    for (const name of names) {
      for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
        const rules = this.#domains.get(name.slice(dot + 1));
        for (const rule of rules ?? NOBODY) found.push({ length: name.length - dot, rule });
      }
    }
    if (found.length > 1) found.sort((a, b) => b.length - a.length || a.rule.order - b.rule.order);
    return found.map(({ rule }) => rule);
  }
}

/** Whether a rule is about one address alone. */
function isExact(rule: Compiled & Partial<CompiledRange>): boolean {
  return rule.first === rule.last;
}

const words = new Uint32Array(4);

/** One text for each address. That of IPv4 is one already. */
function canonical(host: string): string {
  if (host.indexOf(":") < 0) return host;
  return readIp(host, words) === 4 ? dotted(words[0]!) : words.join(":");
}

function dotted(word: number): string {
  return `${word >>> 24}.${word >>> 16 & 255}.${word >>> 8 & 255}.${word & 255}`;
}
