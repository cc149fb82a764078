/** How `portico ctl` finds a server that was started in another environment; and places that cannot be had. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { announcedPaths, defaultPaths } from "../../runtime/control/path.ts";
import { porticoWith } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { lackingOtherUsers, lackingRoot } from "../support/permissions.ts";
import { lackingPrograms } from "../support/packages.ts";
import { failToStart, manifest, startServer } from "../support/server-process.ts";

const services = { one: { plugin: "echo", listen: "tcp://127.0.0.1:${PORTICO_TEST_PORT}" } };
const env = { PORTICO_TEST_PORT: "0", PORTICO_TEST_NAME: "own" };

for (const control of [undefined, "unix:./${PORTICO_TEST_NAME}.ctl", "unix:./fixed.ctl"]) {
  test(`ctl finds a server without its environment: control ${control ?? "is not said"}`, async (t) => {
    const home = folder(t, {
      "portico.json": JSON.stringify({ ...JSON.parse(manifest(services)), control }),
    });
    const run = join(home, "run");
    mkdirSync(run);
    const server = await startServer(t, home, { env: { ...env, XDG_RUNTIME_DIR: run } });
    const ask = (verb: string) =>
      porticoWith({ XDG_RUNTIME_DIR: "" }, "ctl", verb, "--json", "--manifest", home);
    const { code, out, err } = await ask("status");
    assert.equal(code, 0, err);
    assert.equal(JSON.parse(out).pid, server.pid);
    assert.equal((await ask("stop")).code, 0);
    assert.equal(await server.ended(), 0);
    const places = [
      ...defaultPaths(join(home, "portico.json")),
      ...["own.ctl", "fixed.ctl"].flatMap((name) => announcedPaths(join(home, name))),
    ];
    assert.deepEqual(
      places.filter((path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined),
      [],
      "nothing is left",
    );
    assert.match((await ask("status")).err, /PORTICO_TEST_PORT is not set/);
  });
}

/** Runs a program where a file system that cannot be written to is in the place of /run/portico. */
const READ_ONLY = [
  "unshare",
  "-m",
  "sh",
  "-c",
  'mkdir -p /run/portico && mount -t tmpfs -o ro,mode=0700 none /run/portico && exec "$0" "$@"',
];

function lackingMounts(): string | false {
  const lacking = lackingRoot || lackingPrograms("unshare", "mount");
  if (lacking !== false) return lacking;
  const [program, ...words] = [...READ_ONLY, "true"];
  return spawnSync(program!, words).status !== 0 && "nothing can be mounted here";
}

test("a /run/portico that is read-only does not stop a start: the next place is taken", {
  skip: lackingMounts(),
}, async (t) => {
  const home = folder(t, { "portico.json": manifest(services) });
  const server = await startServer(t, home, {
    env: { ...env, XDG_RUNTIME_DIR: "" },
    through: READ_ONLY,
  });
  const socket = defaultPaths(join(home, "portico.json"))
    .find((path) => path.startsWith("/tmp/") && existsSync(path))!;
  assert.ok(existsSync(socket), socket);
  const { code, err } = await porticoWith({}, "ctl", "stop", "--socket", socket);
  assert.equal(code, 0, err);
  assert.equal(await server.ended(), 0);
});

test("a socket of another user is told as what it is", {
  skip: lackingOtherUsers() || lackingPrograms("setpriv", "python3"),
}, async (t) => {
  const home = folder(t, {});
  chmodSync(home, 0o755);
  for (const name of ["sticky", "hidden"]) {
    mkdirSync(join(home, name));
    chownSync(join(home, name), 4001, 4001);
  }
  const made: string[] = [];
  for (const [name, mode] of [["sticky", 0o666], ["hidden", 0o600]] as const) {
    const path = join(home, name, "socket");
    made.push(path);
    const { status } = spawnSync("python3", [
      "-c",
      "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])",
      path,
    ]);
    assert.equal(status, 0);
    chmodSync(path, mode);
  }
  chmodSync(join(home, "sticky"), 0o1777);
  chownSync(join(home, "sticky"), 0, 0);
  const as = ["setpriv", "--reuid=4001", "--regid=4001", "--clear-groups"];
  const start = async (path: string): Promise<string> => {
    const each = folder(t, {
      "portico.json": JSON.stringify({
        control: false,
        services: { one: { plugin: "echo", listen: `unix:${path}` } },
      }),
    });
    chmodSync(each, 0o755);
    const { code, block } = await failToStart(t, each, as);
    assert.equal(code, 1);
    return block;
  };
  assert.match(await start(made[0]!), /a stale socket of user 0 is there, which this user may not/);
  assert.match(await start(made[1]!), /a socket of user 0 is there, and this user may not connect/);
});
