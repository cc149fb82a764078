/** Rules of `access` about the certificates of peers. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Access } from "../../runtime/core/plan.ts";
import type { PeerCertificate } from "../../runtime/core/tls.ts";
import { ECHO, start, told } from "../support/tls-in-memory.ts";

const ALICE: PeerCertificate = {
  subject: "CN=alice,OU=Sales\\, East,O=Example",
  issuer: "CN=ca",
  subjectAltNames: ["DNS:alice.example.org", "email:alice@example.org"],
  fingerprint: "ab".repeat(32),
  serialNumber: "01",
  validFrom: 0,
  validTo: 4e12,
};

describe("rules about certificates", () => {
  const rule = (action: "allow" | "deny", subject: string): Access["rules"][number] => ({
    action,
    subject,
    text: subject,
  });
  const CASES:
    readonly (readonly [string, Access["rules"], Partial<PeerCertificate> | undefined, string])[] =
      [
        ["its subject", [rule("allow", "cert:subject=CN=alice,O=Example")], {}, "open"],
        ["a part with a comma in it", [rule("allow", "cert:subject=OU=Sales\\, East")], {}, "open"],
        ["another subject", [rule("allow", "cert:subject=CN=bob")], {}, "certificate not in allow"],
        [
          "a part of a name is none",
          [rule("allow", "cert:subject=CN=ali")],
          {},
          "certificate not in allow",
        ],
        ["a name", [rule("allow", "cert:san=DNS:ALICE.example.org")], {}, "open"],
        ["a wildcard", [rule("allow", "cert:san=DNS:*.example.org")], {}, "open"],
        [
          "one label, no more",
          [rule("allow", "cert:san=DNS:*.org")],
          {},
          "certificate not in allow",
        ],
        ["a mail address", [rule("allow", "cert:san=email:alice@example.org")], {}, "open"],
        ["a fingerprint", [rule("allow", `cert:fingerprint=${"AB:".repeat(31)}AB`)], {}, "open"],
        ["none was shown", [rule("allow", "cert:subject=CN=alice")], undefined, "no certificate"],
        [
          "deny wins",
          [rule("allow", "cert:subject=O=Example"), rule("deny", "cert:subject=CN=alice")],
          {},
          "deny cert:subject=CN=alice",
        ],
        ["only deny, and another", [rule("deny", "cert:subject=CN=bob")], {}, "open"],
        ["only deny, and none", [rule("deny", "cert:subject=CN=bob")], undefined, "open"],
        [
          "an address that is denied",
          [rule("deny", "127.0.0.0/8"), rule("allow", "cert:subject=CN=alice")],
          {},
          "deny 127.0.0.0/8",
        ],
        [
          "an address that is not allowed",
          [rule("allow", "10.0.0.0/8"), rule("allow", "cert:subject=CN=alice")],
          {},
          "not in allow",
        ],
        [
          "both",
          [rule("allow", "127.0.0.0/8"), rule("allow", "cert:subject=CN=alice")],
          {},
          "open",
        ],
      ];
  for (const [name, rules, shown, outcome] of CASES) {
    test(name, async (t) => {
      const others = !rules.some(({ action }) => action === "allow");
      const { server, rest } = await start(t, ECHO, { rules: { rules, others } });
      const peer = server.connect();
      await rest();
      peer.secure(shown === undefined ? {} : { peer: { ...ALICE, ...shown }, authorized: true });
      await rest();
      assert.deepEqual(told(server), [outcome === "open" ? "open" : `refuse ${outcome}`]);
    });
  }

  test("of nobody who is trusted only the fingerprint counts; deny does in any case", async (t) => {
    for (
      const [subject, action, outcome] of [
        ["cert:subject=CN=alice", "allow", "refuse certificate not in allow"],
        ["cert:san=DNS:alice.example.org", "allow", "refuse certificate not in allow"],
        [`cert:fingerprint=${"ab".repeat(32)}`, "allow", "open"],
        ["cert:subject=CN=alice", "deny", "refuse deny cert:subject=CN=alice"],
      ] as const
    ) {
      const rules = { rules: [rule(action, subject)], others: action === "deny" };
      const { server, rest } = await start(t, ECHO, { rules });
      const peer = server.connect();
      await rest();
      peer.secure({ peer: ALICE, authorized: false });
      await rest();
      assert.deepEqual(told(server), [outcome], subject);
    }
  });

  test("who speaks in clear has none", async (t) => {
    const rules = { rules: [rule("allow", "cert:subject=CN=alice")], others: false };
    const { server, rest } = await start(t, ECHO, { rules, listen: ["tcp://127.0.0.1:7"] });
    server.connect();
    await rest();
    assert.deepEqual(told(server), ["refuse no certificate"]);
  });

  test("where nobody can show one, the service does not start", async () => {
    const rules = { rules: [rule("allow", "cert:subject=CN=alice")], others: false };
    const listen = ["tls://127.0.0.1:7", "udp://127.0.0.1:7"];
    // What was begun for it ends here, not with the test.
    const ends: (() => unknown)[] = [];
    const scope = { after: (end: () => unknown) => void ends.push(end) };
    await assert.rejects(start(scope as never, ECHO, { rules, listen }), {
      code: "NOT_SUPPORTED",
      message: /rules about certificates, and nobody shows one at udp:\/\/127\.0\.0\.1:7/,
    });
  });
});
