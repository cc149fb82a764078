/** `portico explain`: the answer of a manifest, and of a server that runs. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { portico } from "./support/command.ts";
import { folder } from "./support/folder.ts";

const MANIFEST = `{
  "groups": { "office": ["10.1.0.0/16"] },
  "services": { "echo": {
    "plugin": "echo", "listen": ["tcp://127.0.0.1:0", "unix:./s"],
    "limits": { "sessions": 9, "perSource": 2, "rate": "5/s" },
    "access": {
      "allow": ["10.0.0.0/8", { "from": "@office", "times": "08:00-18:00 UTC" }, "uid:7", "::1"],
      "deny": ["10.2.0.0/16", "10.1.0.0/16", "::1"]
    }
  } }
}`;

interface Explained {
  readonly answer: string;
  readonly rule?: string;
  readonly limit?: string;
  readonly place?: string;
  readonly rules: readonly { about: string; holds: boolean; decides: boolean }[];
  readonly limits: Readonly<Record<string, unknown>>;
}

async function explain(t: TestContext, ...words: string[]): Promise<Explained> {
  const home = folder(t, { "portico.json": MANIFEST });
  const { code, out, err } = await portico("explain", home, "echo", "--json", ...words);
  assert.deepEqual([code, err], [0, ""]);
  return JSON.parse(out) as Explained;
}

describe("explain", () => {
  test("explain says who is served, and by which rule at which place", async (t) => {
    const { answer, rule, place, rules, limits } = await explain(t, "--from", "10.3.0.1");
    assert.deepEqual([answer, rule, place], ["served", "allow 10.0.0.0/8", "portico.json:7:17"]);
    assert.deepEqual(rules.map(({ about, decides }) => [about, decides]), [["10.0.0.0/8", true]]);
    assert.deepEqual(limits, {
      sessions: { most: 9, overflow: "refuse" },
      perSource: { most: 2, overflow: "refuse" },
      rate: { most: { count: 5, per: 1000 }, overflow: "refuse" },
    });
  });
  test("explain names the rules about certificates, which nobody knows yet", async (t) => {
    const home = folder(t, {
      "portico.json":
        `{ "services": { "echo": { "plugin": "echo", "listen": "tls://127.0.0.1:0", "tls": "self-signed",
        "access": { "allow": ["cert:subject=CN=alice"], "deny": ["10.0.0.0/8"] } } } }`,
    });
    const { out } = await portico("explain", home, "echo", "--from", "127.0.0.1");
    assert.match(
      out,
      /served.*\n(?:.*\n)*when TLS has begun, by its certificate:\n {2}allow cert:subject=CN=alice/,
    );
    const denied = await portico("explain", home, "echo", "--from", "10.0.0.1");
    assert.match(denied.out, /refused/);
    assert.doesNotMatch(denied.out, /certificate/);
  });
  test("explain says who is refused, and what else is about it", async (t) => {
    const { answer, rule, rules } = await explain(
      t,
      ...["--from", "10.1.2.3", "--at", "2026-11-27T12:00:00Z"],
    );
    assert.deepEqual([answer, rule], ["refused", "deny 10.1.0.0/16"]);
    assert.deepEqual(rules.map(({ about, holds, decides }) => [about, holds, decides]), [
      ["10.1.0.0/16", true, true],
      ["@office 10.1.0.0/16", true, false],
      ["10.0.0.0/8", true, false],
    ]);
  });
  test("explain counts, knows peers of this machine, and IPv6", async (t) => {
    const third = await explain(t, "--from", "10.3.0.1", "--count", "3");
    assert.deepEqual([third.answer, third.limit], ["refused", "perSource"]);
    assert.equal((await explain(t, "--uid", "7")).rule, "allow uid:7");
    assert.equal((await explain(t, "--uid", "8", "--gid", "7")).rule, "not in allow");
    assert.equal((await explain(t, "--from", "::1")).rule, "deny ::1");
  });
  test("explain says what becomes of whoever comes beyond a limit", async (t) => {
    const limits = {
      sessions: 9,
      perSource: 2,
      rate: "5/s",
      rest: "30s",
      overflow: { perSource: "shed", rate: "wait" },
    };
    const service = { plugin: "echo", listen: "tcp://127.0.0.1:0", limits };
    const home = folder(t, { "portico.json": JSON.stringify({ services: { echo: service } }) });
    const words = ["explain", home, "echo", "--from", "10.3.0.1", "--count", "3"];
    const { out } = await portico(...words);
    assert.match(out, /^ {2}sessions +9 .*then refuse$/m);
    assert.match(out, /^ {2}perSource +2 .*then shed$/m);
    assert.match(out, /^ {2}rate .*then wait, and rest for 30 s$/m);
    assert.equal(JSON.parse((await portico(...words, "--json")).out).answer, "served");
  });
  test("explain --who lists the rules, with those that decide about nobody", async (t) => {
    const home = folder(t, { "portico.json": MANIFEST });
    const { out } = await portico("explain", home, "echo", "--who");
    assert.equal(
      out,
      [
        "allow  10.0.0.0/8                            portico.json:7:17",
        "allow  @office 10.1.0.0/16  08:00-18:00 UTC  portico.json:2:26  contradicted by deny 10.1.0.0/16 (portico.json:8:31)",
        "allow  uid:7                                 portico.json:7:82",
        "allow  ::1                                   portico.json:7:91  contradicted by deny ::1 (portico.json:8:46)",
        "deny   10.2.0.0/16                           portico.json:8:16",
        "deny   10.1.0.0/16                           portico.json:8:31",
        "deny   ::1                                   portico.json:8:46",
        "deny   all others",
        "",
      ].join("\n"),
    );
    const { out: checked } = await portico("check", home);
    assert.match(
      checked,
      /access +allow @office 10\.1\.0\.0\/16 decides about nobody, contradicted by .*; and 1 more: portico explain --who/,
    );
  });
  test("explain says what is wrong with its call", async (t) => {
    const home = folder(t, { "portico.json": MANIFEST });
    const wrong: [string[], string][] = [
      [["ecko", "--who"], 'the service "ecko"'],
      [["echo"], "neither --from nor --uid"],
      [["echo", "--from", "localhost"], "--from localhost"],
      [["echo", "--from", "::1", "--uid", "1"], "--from with --uid or --gid"],
      [["echo", "--from", "::1", "--at", "24:60"], "--at 24:60"],
      [["echo", "--from", "::1", "--count", "0"], "--count 0"],
      [["echo", "--uid", "root"], "--uid root"],
    ];
    for (const [words, received] of wrong) {
      const { code, err } = await portico("explain", join(home, "portico.json"), ...words);
      assert.equal(code, 2, err);
      assert.ok(err.includes(`  received  ${received}\n`), err);
    }
  });
});
