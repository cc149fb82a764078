import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseRange, sizeOf } from "../../runtime/core/access/ip.ts";
import { AccessRules, parseSubject } from "../../runtime/core/access/rules.ts";
import { Address, KnownPeer } from "../../runtime/core/endpoint.ts";
import type { AccessRule } from "../../runtime/core/plan.ts";
import { accessOf } from "../support/access.ts";

const of = (allow: string[] | undefined, deny: string[] = []) =>
  new AccessRules(accessOf({ ...(allow !== undefined && { allow }), deny }));
const at = (host: string) => new Address("tcp", host, 1, "");
/** What refuses a host; undefined when it is served. */
const refuses = (rules: AccessRules, host: string): string | undefined => {
  const { served, text } = rules.decide(at(host), 0);
  return served ? undefined : text;
};

describe("AccessRules", () => {
  test("AccessRules without rules serve everybody", () => {
    assert.equal(of(undefined).empty, true);
    assert.equal(refuses(of(undefined), "192.0.2.1"), undefined);
  });
  test("AccessRules with an empty allow serve nobody", () => {
    assert.equal(of([]).empty, false);
    assert.equal(refuses(of([]), "192.0.2.1"), "not in allow");
    assert.equal(refuses(of([], ["10.0.0.0/8"]), "192.0.2.1"), "not in allow");
    assert.equal(of([]).decide(new Address("unix", "", 0, ""), 0).served, false);
  });
  test("AccessRules with allow refuse the rest", () => {
    const access = of(["127.0.0.0/8", "::1"]);
    assert.equal(refuses(access, "127.9.9.9"), undefined);
    assert.equal(refuses(access, "::1"), undefined);
    assert.equal(refuses(access, "128.0.0.1"), "not in allow");
    assert.equal(refuses(access, "::2"), "not in allow");
  });
  test("AccessRules with deny alone serve the rest", () => {
    const access = of(undefined, ["10.0.0.0/8"]);
    assert.equal(refuses(access, "10.1.2.3"), "deny 10.0.0.0/8");
    assert.equal(refuses(access, "11.1.2.3"), undefined);
    assert.equal(refuses(access, "::1"), undefined);
  });
  test("AccessRules let the longest match decide, and deny win a tie", () => {
    const access = of(["10.1.0.0/16", "10.1.2.3", "192.0.2.1"], [
      "10.0.0.0/8",
      "10.1.2.0/24",
      "192.0.2.1",
    ]);
    assert.equal(refuses(access, "10.9.0.1"), "deny 10.0.0.0/8");
    assert.equal(refuses(access, "10.1.9.1"), undefined);
    assert.equal(refuses(access, "10.1.2.9"), "deny 10.1.2.0/24");
    assert.equal(refuses(access, "10.1.2.3"), undefined);
    assert.equal(refuses(access, "192.0.2.1"), "deny 192.0.2.1");
  });
  test("AccessRules take a range by its size, both ends in it", () => {
    const access = of(["10.0.0.10-10.0.0.19"], ["10.0.0.0/27", "10.0.0.12-10.0.0.13"]);
    assert.equal(refuses(access, "10.0.0.9"), "deny 10.0.0.0/27");
    assert.equal(refuses(access, "10.0.0.10"), undefined);
    assert.equal(refuses(access, "10.0.0.12"), "deny 10.0.0.12-10.0.0.13");
    assert.equal(refuses(access, "10.0.0.19"), undefined);
    assert.equal(refuses(access, "10.0.0.20"), "deny 10.0.0.0/27");
    assert.equal(refuses(access, "10.0.0.32"), "not in allow");
    assert.equal(refuses(of(undefined, ["::2-::ff"]), "::ff"), "deny ::2-::ff");
  });
  test("AccessRules read IPv6 in all its forms, and ignore the zone", () => {
    const access = of(undefined, ["fe80::/10", "2001:db8::1"]);
    assert.equal(refuses(access, "fe80::1%eth0"), "deny fe80::/10");
    assert.equal(refuses(access, "2001:0DB8:0:0:0:0:0:1"), "deny 2001:db8::1");
    assert.equal(refuses(access, "2001:db8::2"), undefined);
  });
  test("AccessRules take an IPv4-mapped address for IPv4, in rules and of peers", () => {
    assert.equal(refuses(of(undefined, ["10.0.0.0/8"]), "::ffff:10.1.2.3"), "deny 10.0.0.0/8");
    assert.equal(refuses(of(undefined, ["::ffff:a00:0/104"]), "10.1.2.3"), "deny ::ffff:a00:0/104");
    assert.equal(refuses(of(undefined, ["::ffff:0:0/96"]), "10.1.2.3"), "deny ::ffff:0:0/96");
    assert.equal(refuses(of(undefined, ["::/0"]), "::ffff:10.1.2.3"), undefined);
    assert.equal(refuses(of(undefined, ["::/0"]), "ffff::ffff"), "deny ::/0");
    assert.equal(refuses(of(undefined, ["0.0.0.0/0"]), "255.255.255.255"), "deny 0.0.0.0/0");
  });
  test("AccessRules ask peers of this machine for user and group, the user first", () => {
    const peer = (uid: number, gid: number) =>
      new KnownPeer(new Address("unix", "", 0, ""), { uid, gid, pid: 1 });
    const decide = (rules: AccessRules, uid: number, gid: number) =>
      rules.decide(peer(uid, gid), 0).text;
    const access = of(["uid:0", "gid:100", "10.0.0.0/8"], ["uid:7"]);
    assert.equal(access.asksCredentials, true);
    assert.equal(decide(access, 0, 5), "allow uid:0");
    assert.equal(decide(access, 3, 100), "allow gid:100");
    assert.equal(decide(access, 7, 100), "deny uid:7");
    assert.equal(decide(access, 8, 8), "not in allow");
    // Addresses say nothing of them.
    assert.equal(of(["10.0.0.0/8"]).decide(peer(8, 8), 0).served, true);
    assert.equal(of(["10.0.0.0/8"]).asksCredentials, false);
    assert.equal(of(undefined, ["gid:8"]).decide(peer(8, 8), 0).text, "deny gid:8");
    assert.equal(of(undefined, ["gid:8"]).decide(peer(8, 9), 0).served, true);
  });
  test("AccessRules agree with one that asks every rule, over random rules and addresses", () => {
    const ipv4 = fc.integer({ min: 0, max: 255 }).map((n) => `10.0.${n >> 4}.${n & 15}`);
    const ipv6 = fc.integer({ min: 0, max: 255 }).map((n) => `2001:db8::${n.toString(16)}`);
    const subjectOf = (host: fc.Arbitrary<string>, least: number, most: number) =>
      fc.oneof(
        host,
        fc.tuple(host, fc.integer({ min: least, max: most })).map((parts) => parts.join("/")),
        fc.tuple(host, host).filter(([a, b]) => sizes(`${a}-${b}`) > 0n).map((ends) =>
          ends.join("-")
        ),
      );
    const subject = fc.oneof(
      subjectOf(ipv4, 20, 32),
      subjectOf(ipv6, 116, 128),
      fc.constantFrom("0.0.0.0/0", "::/0", "255.0.0.0/8"),
    );
    const rules = fc.array(fc.tuple(fc.constantFrom("allow", "deny"), subject), { maxLength: 24 });
    const peers = fc.array(fc.oneof(ipv4, ipv6), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(rules, fc.boolean(), peers, (list, others, hosts) => {
        const made = list.map(([action, text]) => ({ action, text, subject: text }) as AccessRule);
        const access = new AccessRules({ rules: made, others });
        for (const host of hosts) {
          assert.equal(refuses(access, host), slowly(made, others, host), `${host} ${list}`);
        }
      }),
      { numRuns: 10_000 },
    );
  });
  test("AccessRules take any IPv6 address as a rule that matches itself", () => {
    fc.assert(
      fc.property(fc.ipV6(), (host) => {
        assert.equal(refuses(of(undefined, [host]), host), `deny ${host}`);
      }),
    );
  });
  test("parseSubject names what is none, and what would be right", () => {
    for (const text of ["10.0.0.0/8", "0.0.0.0/0", "fe80::/10", "::", "1.2.3.4-1.2.3.4", "uid:0"]) {
      parseSubject(text);
    }
    const wrong = [
      "",
      "10.0.0",
      "10.0.0.0/33",
      "10.0.0.0/",
      "10.0.0.0/8/8",
      "::/129",
      "::ffff:0:0/95",
      "host",
      "1::2::3",
      ":1",
      "1:",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
      "1:2:3:4:5:6:7::8:9",
      "12345::",
      "::g",
      "256.0.0.1",
      "01.2.3.4",
      "1.2.3.4.5",
      "10.0.0.9-10.0.0.1",
      "10.0.0.1-::1",
      "10.0.0.1-10.0.0.2-10.0.0.3",
      "uid:-1",
      "uid:4294967295",
      "gid:x",
    ];
    for (const text of wrong) {
      assert.throws(() => parseSubject(text), (error: Error) => {
        assert.ok(error instanceof SyntaxError, text);
        assert.match(error.message, /; received "/);
        assert.ok(error.message.endsWith(JSON.stringify(text)), error.message);
        return true;
      });
    }
  });
  test("a look makes nothing, and takes a binary search's steps, over 100,000 rules", () => {
    const deny = Array.from(
      { length: 100_000 },
      (_, n) => `${10 + (n >> 16)}.${n >> 8 & 255}.${n & 255}.0/24`,
    );
    const access = of(undefined, deny);
    assert.equal(refuses(access, "11.134.159.7"), "deny 11.134.159.0/24");
    assert.equal(refuses(access, "11.134.160.7"), undefined);
    const [one, two] = ["10.0.0.1", "10.0.0.2"].map((host) => access.decide(at(host), 0));
    assert.equal(one, two, "the verdict of a rule is made once");
  });
});

const sizes = (text: string): bigint => {
  try {
    return sizeOf(parseRange(text));
  } catch {
    return 0n;
  }
};

/** What a reader of the documentation would do with pencil and paper. */
function slowly(rules: readonly AccessRule[], others: boolean, host: string): string | undefined {
  const peer = parseRange(host);
  const about = rules.map((rule) => ({ rule, range: parseRange(rule.subject) })).filter((
    { range },
  ) => range.family === peer.family && range.first <= peer.first && peer.first <= range.last);
  const least = about.map(({ range }) => sizeOf(range)).sort((a, b) => a < b ? -1 : 1)[0];
  const best = about.filter(({ range }) => sizeOf(range) === least).map(({ rule }) => rule);
  const decides = best.find(({ action }) => action === "deny") ?? best[0];
  if (decides === undefined) return others ? undefined : "not in allow";
  return decides.action === "deny" ? `deny ${decides.text}` : undefined;
}
