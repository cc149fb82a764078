/** Rules about names, beside those about addresses. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import fc from "fast-check";
import { parseRange, sizeOf } from "../../runtime/core/access/ip.ts";
import { NamedRules } from "../../runtime/core/names/rules.ts";
import { aboutNames } from "../../runtime/core/plan.ts";
import { AccessRules } from "../../runtime/core/access/rules.ts";
import { SYSTEM_CLOCK } from "../../runtime/core/clock.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { HostNames } from "../../runtime/core/names/hosts.ts";
import { PeerNames } from "../../runtime/core/names/peers.ts";
import type { Found, Resolver } from "../../runtime/core/names/resolver.ts";
import type { AccessRule } from "../../runtime/core/plan.ts";
import { accessOf } from "../support/access.ts";

/** By name its addresses, by address its names. */
type World = Readonly<Record<string, readonly string[]>>;

const at = (host: string): Address => new Address("tcp", host, 1, "");

/** Rules that know the hosts of a world; of peers they know nothing before they have asked. */
async function rulesIn(t: TestContext, world: World, access: AccessRules): Promise<NamedRules> {
  const say = (what: string): Promise<Found> =>
    Promise.resolve({ values: world[what] ?? [], ttl: 60_000 });
  const resolver: Resolver = { addresses: (name) => say(name.replace(/\.$/, "")), names: say };
  const named = new NamedRules(access, {
    hosts: new HostNames(resolver, SYSTEM_CLOCK),
    peers: new PeerNames(resolver, SYSTEM_CLOCK, () => 5000),
  });
  await named.begin(() => {});
  t.after(() => named.end());
  return named;
}

const decided = (named: NamedRules, host: string, ...names: string[]): string =>
  named.decideAs(at(host), names, 0).text;

describe("NamedRules", () => {
  test("a host is its addresses, as small as one address is, and deny wins", async (t) => {
    const world = {
      "db.example.org": ["10.0.0.5", "2001:db8::5"],
      "web.example.org": ["10.0.0.6", "10.0.0.5"],
    };
    const access = new AccessRules(accessOf({
      allow: ["host:db.example.org", "10.0.0.7", "2001:db8::/32"],
      deny: ["10.0.0.0/8", "host:web.example.org", "2001:db8::5/128"],
    }));
    const named = await rulesIn(t, world, access);
    assert.equal(decided(named, "10.0.0.5"), "deny host:web.example.org");
    assert.equal(decided(named, "10.0.0.6"), "deny host:web.example.org");
    assert.equal(decided(named, "10.0.0.7"), "allow 10.0.0.7");
    assert.equal(decided(named, "10.0.0.8"), "deny 10.0.0.0/8");
    assert.equal(decided(named, "2001:db8::5"), "deny 2001:db8::5/128");
    assert.equal(decided(named, "2001:db8::6"), "allow 2001:db8::/32");
    assert.equal(decided(named, "192.0.2.1"), "not in allow");
    // Without what knows names they are about nobody.
    assert.equal(access.decide(at("10.0.0.6"), 0).text, "deny 10.0.0.0/8");
  });
  test("the longest domain decides, deny where both are as long, and a domain is not in itself", async (t) => {
    const access = new AccessRules(accessOf({
      allow: ["domain:example.org", "domain:b.a.example.org"],
      deny: ["domain:a.example.org", "domain:b.a.example.org", "domain:net"],
    }));
    const named = await rulesIn(t, {}, access);
    assert.equal(decided(named, "10.0.0.1", "x.example.org"), "allow domain:example.org");
    assert.equal(decided(named, "10.0.0.1", "a.example.org"), "allow domain:example.org");
    assert.equal(decided(named, "10.0.0.1", "x.a.example.org"), "deny domain:a.example.org");
    assert.equal(decided(named, "10.0.0.1", "x.b.a.example.org"), "deny domain:b.a.example.org");
    assert.equal(decided(named, "10.0.0.1", "example.org"), "not in allow");
    assert.equal(decided(named, "10.0.0.1", "xexample.org"), "not in allow");
    assert.equal(decided(named, "10.0.0.1"), "not in allow");
    assert.equal(decided(named, "10.0.0.1", "x.example.com", "y.net"), "deny domain:net");
  });
  test("between a range and a domain deny decides; an address decides alone", async (t) => {
    const access = new AccessRules(accessOf({
      allow: ["10.0.0.0/8", "domain:example.org", "10.0.0.66"],
      deny: ["domain:guest.example.org", "192.0.2.0/24"],
    }));
    const named = await rulesIn(t, {}, access);
    assert.equal(
      decided(named, "10.1.1.1", "x.guest.example.org"),
      "deny domain:guest.example.org",
    );
    assert.equal(decided(named, "10.1.1.1", "x.example.org"), "allow 10.0.0.0/8");
    assert.equal(decided(named, "192.0.2.1", "x.example.org"), "deny 192.0.2.0/24");
    assert.equal(decided(named, "10.0.0.66", "x.guest.example.org"), "allow 10.0.0.66");
    assert.equal(decided(named, "172.16.0.1", "x.example.org"), "allow domain:example.org");
  });
  test("a name is asked for where a domain may decide, and nowhere else", async (t) => {
    const asks = (rules: NamedRules, host: string): boolean =>
      rules.decide(at(host), 0) === undefined;
    const allowing = await rulesIn(
      t,
      {},
      new AccessRules(accessOf({ allow: ["10.0.0.0/8", "domain:example.org"], deny: ["::1"] })),
    );
    assert.equal(asks(allowing, "10.0.0.1"), false, "an allowed range, and no domain is denied");
    assert.equal(asks(allowing, "::1"), false);
    assert.equal(asks(allowing, "192.0.2.1"), true);
    assert.equal(allowing.decide(new Address("unix", "", 0, ""), 0)?.served, true);
    const denying = await rulesIn(
      t,
      {},
      new AccessRules(
        accessOf({ allow: ["10.0.0.0/8", "10.0.0.1"], deny: ["domain:example.org"] }),
      ),
    );
    assert.equal(asks(denying, "10.0.0.1"), false, "one address");
    assert.equal(asks(denying, "10.0.0.2"), true);
    const timed = await rulesIn(
      t,
      {},
      new AccessRules({
        rules: [{ action: "deny", text: "d", subject: "domain:d", times: ["Mon 10:00-11:00 UTC"] }],
        others: true,
      }),
    );
    assert.equal(timed.decide(at("10.0.0.1"), 0)?.served, true, "1970 began on a Thursday");
    const monday = Date.parse("2026-11-30T10:30:00Z");
    assert.equal(timed.decide(at("10.0.0.1"), monday), undefined);
  });
  test("when the name is known, decide knows it", async (t) => {
    const world = { "10.0.0.1": ["x.example.org"], "x.example.org": ["10.0.0.1"] };
    const access = accessOf({ allow: ["domain:example.org"] });
    assert.equal(aboutNames(access), true);
    const named = await rulesIn(t, world, new AccessRules(access));
    assert.equal(named.decide(at("10.0.0.1"), 0), undefined);
    assert.equal(named.decideNow(at("10.0.0.1"), 0).text, "not in allow");
    await new Promise<void>((resolve) => void named.peers.ask("10.0.0.1", 1, resolve));
    assert.equal(named.decide(at("10.0.0.1"), 0)?.text, "allow domain:example.org");
  });
  test("NamedRules agree with one that asks every rule, over random rules, names and addresses", async (t) => {
    const host = fc.integer({ min: 0, max: 15 }).map((n) => `10.0.0.${n}`);
    const label = fc.constantFrom("a", "b");
    const domain = fc.array(label, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("."));
    const subject = fc.oneof(
      host,
      fc.tuple(host, fc.integer({ min: 27, max: 32 })).map((parts) => parts.join("/")),
      domain.map((name) => `host:${name}`),
      domain.map((name) => `domain:${name}`),
    );
    const rules = fc.array(fc.tuple(fc.constantFrom("allow", "deny"), subject), { maxLength: 12 });
    const world = fc.dictionary(domain, fc.array(host, { maxLength: 3 }), { maxKeys: 6 });
    const peers = fc.array(fc.tuple(host, fc.array(domain, { maxLength: 2 })), {
      minLength: 8,
      maxLength: 16,
    });
    await fc.assert(
      fc.asyncProperty(rules, fc.boolean(), world, peers, async (list, others, hosts, asked) => {
        const made = list.map(([action, text]) => ({ action, text, subject: text }) as AccessRule);
        const named = await rulesIn(t, hosts, new AccessRules({ rules: made, others }));
        for (const [peer, names] of asked) {
          const expected = slowly(made, others, hosts, peer, names);
          assert.equal(named.decideAs(at(peer), names, 0).text, expected, `${peer} ${names}`);
        }
        named.end();
      }),
      { numRuns: 1500 },
    );
  });
});

/** What a reader of the documentation would do with pencil and paper. */
function slowly(
  rules: readonly AccessRule[],
  others: boolean,
  hosts: World,
  host: string,
  names: readonly string[],
): string {
  const peer = parseRange(host);
  const best = (about: readonly (readonly [bigint, AccessRule])[]): AccessRule | undefined => {
    const least = about.map(([size]) => size).sort((a, b) => a < b ? -1 : 1)[0];
    const smallest = about.filter(([size]) => size === least).map(([, rule]) => rule);
    return smallest.find(({ action }) => action === "deny") ?? smallest[0];
  };
  const byAddress = rules.flatMap((rule): [bigint, AccessRule][] => {
    const { subject } = rule;
    if (subject.startsWith("domain:")) return [];
    if (subject.startsWith("host:")) {
      return hosts[subject.slice(5)]?.includes(host) === true ? [[1n, rule]] : [];
    }
    const range = parseRange(subject);
    return range.first <= peer.first && peer.first <= range.last ? [[sizeOf(range), rule]] : [];
  });
  const byName = rules.flatMap((rule): [bigint, AccessRule][] => {
    const domain = rule.subject.replace(/^domain:/, ".");
    return rule.subject.startsWith("domain:") && names.some((name) => name.endsWith(domain))
      ? [[-BigInt(domain.length), rule]]
      : [];
  });
  const [address, name] = [best(byAddress), best(byName)];
  const exact = byAddress.some(([size, rule]) => rule === address && size === 1n);
  const decides = address === undefined
    ? name
    : !exact && name?.action === "deny" && address.action === "allow"
    ? name
    : address;
  if (decides === undefined) return others ? "no rule" : "not in allow";
  return `${decides.action} ${decides.text}`;
}
