/** The file in which bans outlive a server. */
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { Bans } from "../../runtime/services/bans/bans.ts";
import { BansFile } from "../../runtime/services/bans/file.ts";
import { bansFrom, storedBans } from "../../runtime/services/bans/stored.ts";
import { folder } from "../support/folder.ts";
import type { Scope } from "../support/scope.ts";
import { until } from "../support/until.ts";

const HOUR = 3_600_000;

function setUp(t: Scope, files: Readonly<Record<string, string>> = {}) {
  const home = folder(t, files);
  const path = join(home, "bans.json");
  const said: string[] = [];
  const open = () => {
    const bans = new Bans();
    const file = new BansFile(bans, path, (message) => said.push(message));
    t.after(async () => {
      await file.close();
      bans.close();
    });
    file.open();
    return { bans, file };
  };
  return { home, path, said, open };
}

describe("a file of bans", () => {
  test("what is written is read again: with an end or without, and nothing that is over", async (t) => {
    const { path, open, said, home } = setUp(t);
    const { bans, file } = open();
    bans.ban("192.0.2.7", HOUR, 'a "reason"\nof two lines');
    bans.ban("2001:db8::/64", Infinity, "operator");
    bans.ban("uid:7", 1, "short");
    await file.close();
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(home), ["bans.json"]);
    await until("the end of the short one", () => bans.list().length === 2);
    const { bans: again } = open();
    const plain = (list: ReturnType<Bans["list"]>) =>
      list.map(({ source, since, for: length, cause }) => ({ source, since, length, cause }));
    assert.deepEqual(plain(again.list()), plain(bans.list()));
    assert.deepEqual(said, []);
  });

  test("changes are written soon, together, and not while there are none", async (t) => {
    const { path, open } = setUp(t);
    const { bans } = open();
    assert.equal(existsSync(path), false);
    for (let i = 0; i < 200; i++) bans.ban(`192.0.2.${i}`, HOUR, "");
    assert.equal(existsSync(path), false);
    await until("the file", () => existsSync(path));
    assert.equal(bansFrom(readFileSync(path, "utf8")).length, 200);
    const { ino } = statSync(path);
    bans.unban("192.0.2.1");
    await until("another file", () => statSync(path).ino !== ino);
    assert.equal(bansFrom(readFileSync(path, "utf8")).length, 199);
  });

  const ban = '{"source":"192.0.2.7","since":"2026-11-28T12:00:00.000Z","cause":"x"}';
  const damaged = {
    "that ends in the middle": `{ "portico": 1, "bans": [ ${ban}, {"sour`,
    "of zeros": "\0".repeat(100),
    "with nothing in it": "",
    "of another format": `{ "portico": 2, "bans": [ ${ban} ] }`,
    "with a ban that is none": `{ "portico": 1, "bans": [ ${ban}, {"source":"nobody"} ] }`,
    "with a time that is none": `{ "portico": 1, "bans": [ ${
      ban.replace("2026-11", "2026-99")
    } ] }`,
    "that is a list": `[${ban}]`,
  };
  for (const [name, text] of Object.entries(damaged)) {
    test(`one ${name} is put aside, as it was, and told of; none of its bans is in force`, async (t) => {
      const { home, path, said, open } = setUp(t, { "bans.json": text });
      const { bans, file } = open();
      assert.equal(bans.size, 0);
      const [aside] = readdirSync(home);
      assert.match(aside!, /^bans\.json\.damaged-\d{4}-\d\d-\d\dT\d{6}\.\d{3}Z$/);
      assert.equal(readFileSync(join(home, aside!), "utf8"), text);
      assert.equal(said.length, 1);
      assert.ok(said[0]!.includes(path) && said[0]!.endsWith(`it is now ${join(home, aside!)}`));
      bans.ban("192.0.2.8", HOUR, "");
      await file.close();
      assert.equal(bansFrom(readFileSync(path, "utf8")).length, 1);
    });
  }

  test("one that cannot be read is left alone, and told of", async (t) => {
    const { path, said, open } = setUp(t);
    mkdirSync(path);
    const { bans, file } = open();
    bans.ban("192.0.2.8", HOUR, "");
    await file.close();
    assert.equal(said.length, 1);
    assert.match(said[0]!, /^bans are not kept in .*bans\.json: /);
    assert.ok(statSync(path).isDirectory());
  });

  test("one that cannot be written is told of once, and what is in force stays so", async (t) => {
    const { home, said, open, path } = setUp(t);
    const { bans, file } = open();
    // Where root may do all, a folder in its place is in the way of it as well.
    const root = process.getuid?.() === 0;
    if (root) mkdirSync(path);
    else chmodSync(home, 0o500);
    for (let i = 0; i < 3; i++) {
      bans.ban(`192.0.2.${i}`, HOUR, "");
      await file.flush();
    }
    assert.equal(said.length, 1);
    assert.match(said[0]!, /^bans cannot be written to .*bans\.json: /);
    assert.equal(bans.size, 3);
    assert.deepEqual(readdirSync(home), root ? ["bans.json"] : []);
    chmodSync(home, 0o700);
    if (root) rmdirSync(path);
    await file.flush();
    assert.equal(bansFrom(readFileSync(path, "utf8")).length, 3);
  });

  test("after a hand-over it is the successor's", async (t) => {
    const { path, open } = setUp(t);
    const { bans, file } = open();
    bans.ban("192.0.2.8", HOUR, "");
    file.give();
    await file.close();
    assert.equal(existsSync(path), false);
    writeFileSync(path, storedBans([]));
    const next = open();
    assert.equal(next.bans.size, 0);
  });
});
