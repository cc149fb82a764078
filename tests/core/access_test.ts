import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { AccessList, checkRule } from "../../runtime/core/admission/rules.ts";

const list = (allow: string[], deny: string[] = []) => new AccessList({ allow, deny });

describe("AccessList", () => {
  test("AccessList without rules serves everybody", () => {
    assert.equal(list([]).empty, true);
    assert.equal(list([]).refuses("192.0.2.1"), undefined);
  });
  test("AccessList with allow refuses the rest", () => {
    const access = list(["127.0.0.0/8", "::1"]);
    assert.equal(access.refuses("127.9.9.9"), undefined);
    assert.equal(access.refuses("::1"), undefined);
    assert.equal(access.refuses("128.0.0.1"), "not in allow");
    assert.equal(access.refuses("::2"), "not in allow");
  });
  test("AccessList with deny alone serves the rest", () => {
    const access = list([], ["10.0.0.0/8"]);
    assert.equal(access.refuses("10.1.2.3"), "deny 10.0.0.0/8");
    assert.equal(access.refuses("11.1.2.3"), undefined);
    assert.equal(access.refuses("::1"), undefined);
  });
  test("AccessList lets the longest match decide, and deny win a tie", () => {
    const access = list(["10.1.0.0/16", "10.1.2.3", "192.0.2.1"], [
      "10.0.0.0/8",
      "10.1.2.0/24",
      "192.0.2.1",
    ]);
    assert.equal(access.refuses("10.9.0.1"), "deny 10.0.0.0/8");
    assert.equal(access.refuses("10.1.9.1"), undefined);
    assert.equal(access.refuses("10.1.2.9"), "deny 10.1.2.0/24");
    assert.equal(access.refuses("10.1.2.3"), undefined);
    assert.equal(access.refuses("192.0.2.1"), "deny 192.0.2.1");
  });
  test("AccessList always serves peers without an IP address", () => {
    assert.equal(list(["127.0.0.1"]).refuses(""), undefined);
  });
  test("AccessList reads IPv6 in all its forms, and ignores the zone", () => {
    const access = list([], ["fe80::/10", "2001:db8::1", "::ffff:0:0/96"]);
    assert.equal(access.refuses("fe80::1%eth0"), "deny fe80::/10");
    assert.equal(access.refuses("2001:0DB8:0:0:0:0:0:1"), "deny 2001:db8::1");
    assert.equal(access.refuses("2001:db8::2"), undefined);
    assert.equal(access.refuses("::ffff:1.2.3.4"), "deny ::ffff:0:0/96");
    assert.equal(access.refuses("1.2.3.4"), undefined);
  });
  test("AccessList agrees with a comparison of bits", () => {
    const toBits = (host: string): string =>
      host.split(".").map((part) => Number(part).toString(2).padStart(8, "0")).join("");
    fc.assert(
      fc.property(fc.ipV4(), fc.integer({ min: 0, max: 32 }), fc.ipV4(), (net, prefix, peer) => {
        const same = toBits(net).slice(0, prefix) === toBits(peer).slice(0, prefix);
        const rule = `${net}/${prefix}`;
        assert.equal(list([], [rule]).refuses(peer), same ? `deny ${rule}` : undefined);
        assert.equal(list([rule]).refuses(peer), same ? undefined : "not in allow");
      }),
      { numRuns: 300 },
    );
  });
  test("AccessList takes any IPv6 address as a rule that matches itself", () => {
    fc.assert(
      fc.property(fc.ipV6(), (host) => {
        assert.equal(list([], [host]).refuses(host), `deny ${host}`);
        assert.equal(list([], ["::/0"]).refuses(host), "deny ::/0");
      }),
    );
  });
  test("checkRule names what is no rule", () => {
    for (const rule of ["10.0.0.0/8", "0.0.0.0/0", "fe80::/10", "::"]) checkRule(rule);
    const wrong = [
      "",
      "10.0.0",
      "10.0.0.0/33",
      "10.0.0.0/",
      "10.0.0.0/8/8",
      "::/129",
      "host",
      "1::2::3",
      "::g",
    ];
    for (const rule of wrong) {
      assert.throws(() => checkRule(rule), {
        name: "SyntaxError",
        message: new RegExp(
          `ADDRESS/PREFIX.*received ${JSON.stringify(rule).replace(/[/.]/g, "\\$&")}`,
        ),
      });
    }
  });
});
