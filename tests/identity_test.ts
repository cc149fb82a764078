import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { describe, test, type TestContext } from "node:test";
import { PorticoError } from "../runtime/core/errors.ts";
import type { Identity } from "../runtime/core/plan.ts";
import { resolveIdentity } from "../runtime/identity/mod.ts";
import { lackingFeature } from "./support/adapter.ts";
import { lackingRoot } from "./support/permissions.ts";
import { command, runToEnd } from "./support/command.ts";
import { folder } from "./support/folder.ts";

const PASSWD = `root:x:0:0:root:/root:/bin/sh
# a comment
www:x:33:33:web:/var/www:/usr/sbin/nologin
mail:x:8:12:mail:/var/mail:/usr/sbin/nologin
1234:x:77:78:a number as a name:/:/bin/sh
broken:x:abc:1::/:/bin/sh
`;
const GROUP = `root:x:0:
www:x:33:
logs:x:44:root,www
post:x:12:www
audio:x:29:wwww,mail
99:x:5:
`;

/** Looks up in files like those of a machine. */
function resolve(t: TestContext, identity: Identity) {
  const home = folder(t, { passwd: PASSWD, group: GROUP });
  return resolveIdentity(identity, { passwd: join(home, "passwd"), group: join(home, "group") });
}

describe("resolveIdentity", () => {
  test("resolveIdentity finds a user with all groups", (t) => {
    assert.deepEqual(resolve(t, { user: "www" }), {
      uid: 33,
      gid: 33,
      groups: [12, 33, 44],
      name: "www",
    });
  });
  test("resolveIdentity takes a user by number, with the groups of the name", (t) => {
    const { uid, gid, groups } = resolve(t, { user: 33 })!;
    assert.deepEqual([uid, gid, groups], [33, 33, [12, 33, 44]]);
    assert.deepEqual(resolve(t, { user: "33" })!.groups, [12, 33, 44]);
  });
  test("resolveIdentity prefers a name to a number in text", (t) => {
    assert.equal(resolve(t, { user: "1234" })!.uid, 77);
    assert.equal(resolve(t, { user: "root", group: "99" })!.gid, 5);
  });
  test("resolveIdentity puts a named group in the place of the user's own", (t) => {
    assert.deepEqual(resolve(t, { user: "mail", group: "logs" }), {
      uid: 8,
      gid: 44,
      groups: [29, 44],
      name: "mail:logs",
    });
  });
  test("resolveIdentity takes numbers that have no entry, when both are given", (t) => {
    assert.deepEqual(resolve(t, { user: 4000, group: 5000 }), {
      uid: 4000,
      gid: 5000,
      groups: [5000],
      name: "4000:5000",
    });
  });
  test("resolveIdentity leaves the user where only a group is named", (t) => {
    const { uid, gid, groups } = resolve(t, { group: "post" })!;
    assert.deepEqual([uid, gid, groups], [process.getuid!(), 12, [12]]);
  });
  test("resolveIdentity answers nothing when nothing is named", (t) => {
    assert.equal(resolve(t, {}), undefined);
  });

  const UNKNOWN: [string, Identity, RegExp][] = [
    ["a user", { user: "wwv" }, /^there is no user "wwv" in \/.*\/passwd; /],
    ["a group", { user: "www", group: "lgs" }, /^there is no group "lgs" in \/.*\/group; /],
    ["a user whose line is broken", { user: "broken" }, /no user "broken"/],
    ["a number without a group", { user: 4000 }, /^user 4000 has no entry in .*; set "group"/],
  ];
  for (const [what, identity, message] of UNKNOWN) {
    test(`resolveIdentity does not know ${what}`, (t) => {
      assert.throws(
        () => resolve(t, identity),
        (error) =>
          error instanceof PorticoError && error.code === "ENOENT" && error.side === "config" &&
          message.test(error.message),
      );
    });
  }
  test("resolveIdentity says which file cannot be read", (t) => {
    const passwd = join(folder(t, {}), "passwd");
    assert.throws(() => resolveIdentity({ user: "a" }, { passwd, group: passwd }), {
      code: "ENOENT",
      message: /^\/.*\/passwd, where users and groups are looked up: ENOENT/,
    });
  });
});

const MODULES = ["adapters/mod.ts", "runtime/identity/mod.ts"].map((path) =>
  new URL(`../${path}`, import.meta.url).href
);

/** Runs a body in a process of its own, that may end as somebody else; what it told by `tell`. */
async function inProcess(t: TestContext, body: string): Promise<Record<string, unknown>> {
  const script = join(
    folder(t, {
      "become.mts": `
import { readdirSync, readFileSync } from "node:fs";
import { getPriority } from "node:os";
import process from "node:process";
import { loadAdapter } from "${MODULES[0]}";
const adapter = await loadAdapter();
import { applyProcess, dropPrivileges } from "${MODULES[1]}";
const calls = adapter.features.processCalls === true ? await adapter.processCalls() : undefined;
const tell = (value) => console.log(JSON.stringify(value));
/** Of every thread, once: Uid, Gid, Groups. */
const ids = () => [...new Set(readdirSync("/proc/self/task").map((thread) =>
  readFileSync("/proc/self/task/" + thread + "/status", "utf8")
    .match(/^(?:Uid|Gid|Groups):.*$/gm).map((line) => line.replaceAll(/\\s+/g, " ").trim()).join("; ")
))];
const failure = ({ code, message, side }) => ({ code, message, side });
const attempt = (action) => {
  try {
    action();
    return "done";
  } catch (error) {
    return failure(error);
  }
};
const attemptLater = (action) => action().then(() => "done", failure);
${body}
`,
    }),
    "become.mts",
  );
  const { code, out, err } = await runToEnd(command(script));
  assert.equal(code, 0, out + err);
  return JSON.parse(out);
}

/** Where the runtime has no setgroups(2) of its own, it is called by FFI. */
const noGroups = typeof process.setgroups === "function" ? false : lackingFeature("processCalls");
const skip = lackingRoot || (noGroups && `there is no setgroups(2) here, and no FFI: ${noGroups}`);

describe("dropPrivileges", () => {
  test("dropPrivileges makes every thread another user's, for good", { skip }, async (t) => {
    const { done, now, back } = await inProcess(
      t,
      `
const done = attempt(() => dropPrivileges(
  { uid: 4001, gid: 4002, groups: [4002, 4003, 4004], name: "them" }, calls));
tell({ done, now: ids(), back: attempt(() => process.setuid(0)) });`,
    );
    assert.equal(done, "done");
    assert.deepEqual(now, [
      "Uid: 4001 4001 4001 4001; Gid: 4002 4002 4002 4002; Groups: 4002 4003 4004",
    ]);
    assert.equal((back as { code: string }).code, "EPERM");
  });
  test("dropPrivileges is done when it is that user already", { skip }, async (t) => {
    const { again, other, root } = await inProcess(
      t,
      `
const they = { uid: 4001, gid: 4002, groups: [4002], name: "them" };
dropPrivileges(they, calls);
tell({
  again: attempt(() => dropPrivileges({ ...they, groups: [4002, 4003] }, calls)),
  other: attempt(() => dropPrivileges({ ...they, uid: 4005, name: "others" }, calls)),
  root: attempt(() => dropPrivileges({ uid: 0, gid: 0, groups: [0], name: "root" }, calls)),
});`,
    );
    assert.equal(again, "done");
    const refusal = (name: string) => ({
      code: "EPERM",
      message:
        `cannot become user ${name}: this process is not root; start it as root or leave user out`,
      side: "config",
    });
    assert.deepEqual([other, root], [refusal("others"), refusal("root")]);
  });
  test("dropPrivileges trusts nobody who says that it is done", { skip }, async (t) => {
    const { lie } = await inProcess(
      t,
      `
process.setgroups = () => {};
tell({ lie: attempt(() => dropPrivileges({ uid: 4001, gid: 4002, groups: [4002, 4003], name: "them" })) });`,
    );
    const { code, message } = lie as { code: string; message: string };
    assert.equal(code, "EPERM");
    assert.match(message, /^this process did not become user them: its groups are /);
  });
});

describe("applyProcess", () => {
  test("applyProcess sets priority and mask, and then the user", { skip }, async (t) => {
    const { done, now, nice, umask } = await inProcess(
      t,
      `
const done = await attemptLater(() => applyProcess({ user: 4001, group: 4002, umask: 0o27, nice: -3 }, calls));
tell({ done, now: ids(), nice: getPriority(), umask: process.umask() });`,
    );
    assert.deepEqual([done, nice, umask], ["done", -3, 0o27]);
    assert.deepEqual(now, ["Uid: 4001 4001 4001 4001; Gid: 4002 4002 4002 4002; Groups: 4002"]);
  });
  test("applyProcess says that only root can be more important", { skip }, async (t) => {
    const { refused } = await inProcess(
      t,
      `
await applyProcess({ user: 4001, group: 4002, nice: 4 }, calls);
tell({ refused: await attemptLater(() => applyProcess({ nice: 0 })) });`,
    );
    const { code, message } = refused as { code: string; message: string };
    assert.equal(code, "EPERM");
    assert.match(message, /^nice 0: .*; only root can make a process more important than it is$/);
  });
  test("applyProcess changes nothing when nothing is wanted", async (t) => {
    const { before, now } = await inProcess(
      t,
      `
const before = [ids(), getPriority(), process.umask()];
applyProcess({});
tell({ before, now: [ids(), getPriority(), process.umask()] });`,
    );
    assert.deepEqual(now, before);
  });
});
