/** `access` of a manifest: groups, files, names of accounts, hours; and what is wrong with them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { CERTIFICATE } from "../../runtime/core/handshake/certificates.ts";
import type { Access } from "../../runtime/core/plan.ts";
import { load } from "../../runtime/manifest/load.ts";
import { folder } from "../support/folder.ts";
import { expand } from "../support/manifest.ts";
import { blockOf, refuses, service, type WrongManifest } from "./errors.ts";

const SUBJECT =
  'whom it is about: an address, ADDRESS/PREFIX, ADDRESS-ADDRESS, HOST or .DOMAIN by name, "@GROUP", "file:PATH", "user:NAME", "group:NAME", "uid:N", "gid:N" or "cert:subject=…"';

/** The rules of a service with this `access`. */
async function accessOf(
  t: TestContext,
  access: string,
  { top = "", files = {} }: { top?: string; files?: Record<string, string> } = {},
): Promise<Access> {
  const text = `{ ${top}\n"services": { "s": { "plugin": "echo", "listen": "unix:./s",
  "access": ${access} } } }`;
  const home = folder(t, { "portico.json": text, ...files });
  return expand(await load(join(home, "portico.json"), {})).services[0]!.access;
}

/** Rules as short texts: `allow 10.0.0.0/8 portico.json:1:2`. */
function texts({ rules }: Access): string[] {
  return rules.map(({ action, text, subject, place, times }) =>
    [action, text, subject === text ? "" : `(${subject})`, place, times?.join()].filter(Boolean)
      .join(" ")
  );
}

describe("access", () => {
  test("an allow that is silent is all, one that is empty nobody", async (t) => {
    assert.deepEqual(await accessOf(t, "{}"), { rules: [], others: true });
    assert.deepEqual(await accessOf(t, '{ "allow": [] }'), { rules: [], others: false });
    const { others } = await accessOf(t, '{ "deny": ["::1"] }');
    assert.equal(others, true);
  });
  test("groups are put in where they are named, each rule with its own place", async (t) => {
    const top = `"groups": {
      "all": ["@office", "::1"],
      "office": ["10.1.0.0/16", "192.0.2.7"] },`;
    const access = await accessOf(t, '{ "allow": ["@all"], "deny": ["10.1.2.3"] }', { top });
    assert.deepEqual(texts(access), [
      "allow @all @office 10.1.0.0/16 (10.1.0.0/16) portico.json:3:18",
      "allow @all @office 192.0.2.7 (192.0.2.7) portico.json:3:33",
      "allow @all ::1 (::1) portico.json:2:26",
      "deny 10.1.2.3 portico.json:5:43",
    ]);
  });
  test("a file has one rule a line, comments, and places of its own", async (t) => {
    const files = { "lists/bad.txt": "# bad ones\n\n10.9.0.0/16 # all of it\r\n  ::2-::9\n" };
    const access = await accessOf(t, '{ "deny": ["file:lists/bad.txt"] }', { files });
    assert.deepEqual(texts(access), [
      "deny 10.9.0.0/16 lists/bad.txt:3",
      "deny ::2-::9 lists/bad.txt:4",
    ]);
  });
  test("names are put into small letters and ASCII, and keep their text", async (t) => {
    const access = await accessOf(t, '{ "allow": ["DB.Example.ORG.", ".Bücher.example", "db1"] }');
    assert.deepEqual(texts(access), [
      "allow DB.Example.ORG. (host:db.example.org) portico.json:3:25",
      "allow .Bücher.example (domain:xn--bcher-kva.example) portico.json:3:44",
      "allow db1 (host:db1) portico.json:3:63",
    ]);
  });
  test("a rule has options, a line of a file has some of its own", async (t) => {
    const files = {
      "r.txt": '10.0.0.1 A="x # y" B=2 # why\n10.0.0.2\n10.0.0.3 - 10.0.0.4\tA=\n# A=1\n',
    };
    const from =
      '{ "allow": [{ "from": ["file:r.txt", "::1"], "options": { "A": "0", "C": "" } }] }';
    const { rules } = await accessOf(t, from, { files });
    assert.deepEqual(rules.map(({ text, options }) => [text, options]), [
      ["10.0.0.1", { A: "x # y", B: "2", C: "" }],
      ["10.0.0.2", { A: "0", C: "" }],
      ["10.0.0.3 - 10.0.0.4", { A: "", C: "" }],
      ["::1", { A: "0", C: "" }],
    ]);
    for (const line of ['::1 A="x', "::1 1=2", "::1 A=1 A=2", "::1 A =1", '::1 A="1"B=2']) {
      const text = service('"access": { "allow": ["file:a.txt"] }');
      const block = await blockOf(t, { "portico.json": text, "a.txt": line });
      assert.match(block, /at a\.txt:1\n {2}expected {2}(?:NAME="TEXT"|whom it is about)/, line);
    }
    const denied = service('"access": { "deny": ["file:a.txt"] }');
    const block = await blockOf(t, { "portico.json": denied, "a.txt": "::1 A=1" });
    assert.match(
      block,
      /received {2}options of "::1" at a\.txt:1\n {2}expected {2}options with an/,
    );
  });
  test("accounts are looked up, hours go with each subject", async (t) => {
    const access = await accessOf(
      t,
      '{ "allow": [{ "from": ["user:root", "gid:7"], "times": "Mon 08:00-09:00 UTC" }] }',
    );
    assert.deepEqual(texts(access), [
      "allow user:root (uid:0) portico.json:3:36 Mon 08:00-09:00 UTC",
      "allow gid:7 portico.json:3:49 Mon 08:00-09:00 UTC",
    ]);
  });
  test("each list of a service replaces that of defaults", async (t) => {
    const top = '"defaults": { "access": { "allow": ["10.0.0.0/8"], "deny": ["::1"] } },';
    const access = await accessOf(t, '{ "deny": [] }', { top });
    assert.deepEqual(texts(access), ["allow 10.0.0.0/8 portico.json:1:39"]);
  });
  test("a file that cannot be read, or holds what is no rule, is told with its line", async (t) => {
    const text = service('"access": { "deny": ["file:a.txt", "file:b.txt"] }');
    const files = { "portico.json": text, "a.txt": "10.0.0.1\n10.0.0\n" };
    const block = await blockOf(t, files);
    assert.match(
      block,
      /^error: the manifest is wrong \(2 problems\)\n\nportico\.json:2:24 {2}services\.echo\.access\.deny\[0\]\n {2}received {2}"10\.0\.0" at a\.txt:2\n/,
    );
    assert.match(
      block,
      /deny\[1\]\n {2}received {2}"file:b\.txt"\n {2}expected {2}a file of rules, one a line, which can be read: ENOENT/,
    );
  });
});

const WRONG: readonly WrongManifest[] = [
  [
    "a range that begins with its higher end",
    service('"access": { "deny": ["10.0.0.9-10.0.0.1"] }'),
    '2:24  services.echo.access.deny[0]\n  received  "10.0.0.9-10.0.0.1"\n  expected  a range begins with its lower end',
  ],
  ...["10.0.0", "10.0.0.300", "example.org/24", "ALL", "a..b", "-a.org", "a.0", "host:a"].map(
    (text): WrongManifest => [
      `${text}, which is no name either`,
      service(`"access": { "deny": ["${text}"] }`),
      `2:24  services.echo.access.deny[0]\n  received  "${text}"\n  expected  ${SUBJECT}`,
    ],
  ),
  ...["cert:subject", "cert:subject=", "cert:issuer=CN=a", "cert:fingerprint=12"].map(
    (text): WrongManifest => [
      `${text}, which is about no certificate`,
      service(`"access": { "deny": ["${text}"] }`),
      `2:24  services.echo.access.deny[0]\n  received  "${text}"\n  expected  a rule about certificates is ${CERTIFICATE}`,
    ],
  ),
  [
    "a certificate before anybody has shown one",
    service('"access": { "never": ["cert:subject=CN=a"] }'),
    '2:25  services.echo.access.never[0]\n  received  "cert:subject=CN=a"\n  expected  an address, a prefix or a range: a ban waits for no name',
  ],
  [
    "the name of a group without its @",
    `{ "groups": { "office": ["10.0.0.0/8"] },\n${
      service('"access": { "allow": ["office"] }').slice(1)
    }`,
    '3:25  services.echo.access.allow[0]\n  received  "office"\n  expected  "@office" for the group',
  ],
  [
    "options of a rule that denies",
    service('"access": { "deny": [{ "from": "::1", "options": { "A": "1" } }] }'),
    '2:52  services.echo.access.deny[0].options\n  received  {"A":"1"}\n  expected  options with an allow: nobody learns them of whom is denied',
  ],
  [
    "an option whose name no variable has",
    service('"access": { "allow": [{ "from": "::1", "options": { "A-B": "1" } }] }'),
    '2:55  services.echo.access.allow[0].options.A-B\n  received  the name "A-B"\n  expected  texts by name, as { "RELAYCLIENT": "" }; a name has letters, digits and _',
  ],
  [
    "a name among those who are never banned",
    service('"access": { "never": [".example.org"] }'),
    '2:25  services.echo.access.never[0]\n  received  ".example.org"\n  expected  an address, a prefix or a range: a ban waits for no name',
  ],
  [
    "a name server by its name",
    `{ "resolver": { "servers": ["ns.example.org"] },\n${service("").slice(1)}`,
    '1:29  resolver.servers[0]\n  received  "ns.example.org"\n  expected  the address of a name server, as 192.0.2.53, 127.0.0.1:5353 or [::1]:53',
  ],
  [
    "a group that there is not, with the one that was meant",
    `{ "groups": { "office": ["10.0.0.0/8"] },\n${
      service('"access": { "allow": ["@offce"] }').slice(1)
    }`,
    '3:25  services.echo.access.allow[0]\n  received  "@offce"\n  expected  a name of "groups": office\n  hint      did you mean "@office"?',
  ],
  [
    "a group of a manifest that has none",
    service('"access": { "allow": ["@office"] }'),
    '2:25  services.echo.access.allow[0]\n  received  "@office"\n  expected  a name of "groups": { "office": ["10.1.0.0/16"] } of the manifest, which has none',
  ],
  [
    "a group that holds itself",
    `{ "groups": { "a": ["@a"] },\n${service("").slice(1)}`,
    '1:21  groups.a[0]\n  received  "@a"\n  expected  a group that does not hold itself: a → a',
  ],
  [
    "a mistake in a group, once, however often it is used",
    `{ "groups": { "a": ["10.0.0.256"] },\n${
      service('"access": { "allow": ["@a"], "deny": ["@a"] }').slice(1)
    }`,
    `1:21  groups.a[0]\n  received  "10.0.0.256"\n  expected  ${SUBJECT}`,
  ],
  [
    "a user whom this machine does not know",
    service('"access": { "allow": ["user:nobody-of-this-name"] }'),
    '2:25  services.echo.access.allow[0]\n  received  "user:nobody-of-this-name"\n  expected  a user that this machine knows, or its number as uid:1000',
  ],
  [
    "a window of no length",
    service('"access": { "allow": [{ "from": "::1", "times": ["08:00-08:00"] }] }'),
    '2:52  services.echo.access.allow[0].times[0]\n  received  "08:00-08:00"\n  expected  a window has a length: its ends are not the same, as in "Mon-Fri 08:00-18:00 Europe/Paris", "22:00-06:00" or "Sat,Sun"',
  ],
  [
    "a time zone that there is not",
    service('"access": { "allow": [{ "from": "::1", "times": "08:00-09:00 Mars/Olympus" }] }'),
    '2:51  services.echo.access.allow[0].times\n  received  "08:00-09:00 Mars/Olympus"\n  expected  there is no time zone "Mars/Olympus", as in "Mon-Fri 08:00-18:00 Europe/Paris", "22:00-06:00" or "Sat,Sun"',
  ],
  [
    "rules about users where peers have no name",
    service('"access": { "allow": ["uid:0"] }', '"listen": "unixgram:./s"'),
    '2:13  services.echo.access\n  received  rules about users or groups, and "unixgram:./s"\n  expected  unix:PATH of a stream: over other sockets the kernel does not tell who a peer is',
  ],
];

describe("access of a manifest", () => {
  refuses("expand", "the manifest is wrong", WRONG);
});
