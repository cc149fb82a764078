/** Rules about names, as `explain` and `check` ask them: with the resolver of the manifest. */
import { type RuleAbout, rulesAbout } from "../core/access/explain.ts";
import { AccessRules, type Compiled, type Verdict } from "../core/access/rules.ts";
import { SYSTEM_CLOCK } from "../core/clock.ts";
import type { Adapter } from "../core/contract.ts";
import type { Address } from "../core/endpoint.ts";
import { NamedRules } from "../core/names/rules.ts";
import { aboutNames } from "../core/plan.ts";
import type { Access, Plan } from "../core/plan.ts";
import { loadAdapter } from "../adapter.ts";
import { ServerNames } from "../resolver/mod.ts";

/** What is decided about a peer. */
export interface Judgement {
  readonly verdict: Verdict;
  /** The rules that are about it, the smallest first; those about its domains last. */
  readonly rules: readonly RuleAbout[];
  /** Its names, where a rule is about a domain. */
  readonly names: readonly string[];
}

/** Decides about a peer as the server does, names included. */
export async function judge(
  { resolver }: Pick<Plan, "resolver">,
  access: Access,
  remote: Address,
  wall: number,
): Promise<Judgement> {
  const rules = new AccessRules(access);
  const byAddress = rulesAbout(access, remote, wall);
  if (!aboutNames(access) || remote.host === "") {
    return { verdict: rules.decide(remote, wall), rules: byAddress, names: [] };
  }
  const known = new ServerNames(await loadAdapter(), resolver, SYSTEM_CLOCK);
  const named = new NamedRules(rules, await known.get());
  try {
    await named.begin(() => {});
    if (rules.compiled.domains.size > 0) {
      await new Promise<void>((resolve) => void named.peers.ask(remote.host, 0, resolve));
    }
    const names = named.peers.latest(remote.host);
    const about = (found: readonly Compiled[]): RuleAbout[] =>
      found.map(({ rule, times }) => ({ rule, holds: times?.open(wall) ?? true }));
    return {
      verdict: named.decideAs(remote, names, wall),
      rules: [
        ...about(named.hostsAt(remote.host)),
        ...byAddress,
        ...about(named.inDomains(names)),
      ],
      names,
    };
  } finally {
    named.end();
    known.close();
  }
}

/** Of each host that rules are about, and that has no address here and now, why. In the time that the manifest has for a name. */
export async function unknownHosts(
  { resolver, services }: Plan,
  adapter: Adapter,
): Promise<ReadonlyMap<string, string>> {
  const prefix = "host:";
  const subjects = services.flatMap(({ access }) => access.rules.map(({ subject }) => subject));
  const hosts = new Set(subjects.filter((subject) => subject.startsWith(prefix)));
  const found = new Map<string, string>();
  if (hosts.size === 0) return found;
  const known = new ServerNames(adapter, resolver, SYSTEM_CLOCK);
  const { hosts: names } = await known.get();
  const asked = new Set<string>();
  const followed = [...hosts].map((subject) => {
    const name = subject.slice(prefix.length);
    asked.add(name);
    const report = (_: string, error: Error | undefined): void => {
      if (error !== undefined) found.set(name, error.message);
    };
    const host = names.follow(name, { changed() {}, report });
    return { host, first: host.first.then(() => void asked.delete(name)) };
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, resolver.timeout + 100);
  });
  await Promise.race([Promise.all(followed.map(({ first }) => first)), late]);
  clearTimeout(timer);
  for (const { host } of followed) host.end();
  for (const name of asked) found.set(name, `${name} was not resolved in time`);
  known.close();
  return found;
}
