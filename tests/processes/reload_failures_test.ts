/** A reload that cannot be done. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { portico } from "../support/command.ts";
import { ManagedServer, TCP, versioned } from "../support/managed-server.ts";
import { dial } from "../support/peers.ts";

test("a reload that cannot be done says why and changes nothing", async (t) => {
  const good = (version: number) => ({
    echo: versioned(["unix:./a", TCP], version, {
      concurrency: { strategy: "processes", workers: 1 },
    }),
    other: versioned("unix:./o", 1),
  });
  const managed = await ManagedServer.start(t, good(1));
  const occupied = await ManagedServer.start(t, { x: { plugin: "echo", listen: TCP } });
  const used = await occupied.endpoint("x", "tcp");
  const a = `unix:${join(managed.home, "a")}`;
  const old = await dial(t, a);
  await old.echo("old");
  const text = readFileSync(managed.file, "utf8");
  const before = await managed.status();
  const wrong: Record<string, readonly [() => void, RegExp]> = {
    "gone": [() => rmSync(managed.file), /no manifest|cannot be found|MANIFEST|portico\.json/],
    "cut": [
      () => writeFileSync(managed.file, text.slice(0, text.length / 2)),
      /portico\.json:\d+:\d+/,
    ],
    "syntax": [() => writeFileSync(managed.file, "{ services: }"), /portico\.json:1:\d+/],
    "invalid": [
      () => managed.write({ echo: versioned("tpc://127.0.0.1:0", 2) }),
      /services\.echo\.listen[^]*tpc:/,
    ],
    "no plugin": [
      () => managed.write({ ...good(2), more: { plugin: "./none.ts", listen: TCP } }),
      /services\.more\.plugin[^]*none\.ts/,
    ],
    "port in use": [
      () => managed.write({ ...good(2), echo: versioned(["unix:./a", "unix:./fresh", used], 2) }),
      new RegExp(`"echo": [^]*${used.slice(6)}`),
    ],
    "port in use by the last": [
      () => managed.write({ ...good(2), more: versioned(["unix:./fresh", used], 1) }),
      /"more": /,
    ],
    "start throws": [
      () =>
        managed.write({
          ...good(2),
          other: versioned("unix:./o", 1, { options: { fails: true } }),
        }),
      /"other": [^]*nothing works today/,
    ],
    "a worker's start throws": [
      () => managed.write({ echo: { ...good(2).echo, options: { fails: true } } }),
      /"echo": [^]*nothing works today/,
    ],
    "control": [() => managed.write(good(2), { control: "unix:./d" }), /control cannot be changed/],
  };
  let count = 0;
  for (const [name, [spoil, message]] of Object.entries(wrong)) {
    spoil();
    const { code, out, err } = await ctlOrAsk(managed, name);
    assert.equal(code, 1, `${name}: ${out}${err}`);
    assert.match(err, message, name);
    const errors = await managed.process.count(++count, { event: "error", during: "reload" });
    assert.match(errors.at(-1)!["message"] as string, message, name);
    assert.doesNotMatch(errors.at(-1)!["message"] as string, /\n/, name);
    assert.equal(await managed.version(a), "1", name);
    await old.echo(` ${name}`);
    assert.equal(existsSync(join(managed.home, "fresh")), false, name);
    assert.equal(existsSync(join(managed.home, "o")), true, name);
    const { services } = await managed.status();
    assert.deepEqual(
      services.map((
        { endpoints, workers, state },
      ) => [endpoints, workers.map(({ pid }) => pid), state]),
      before.services.map((one) => [one.endpoints, one.workers.map(({ pid }) => pid), one.state]),
      name,
    );
  }
  managed.write(good(3));
  assert.deepEqual((await managed.reload()).changed, ["echo"]);
  assert.equal(await managed.version(a), "3");
  old.end();
  await occupied.process.stop();
  await managed.process.stop();
});

/** Half of them by the command, which takes its time to start. */
async function ctlOrAsk(managed: ManagedServer, name: string) {
  if (["gone", "syntax", "port in use"].includes(name)) {
    return await portico("ctl", "reload", "--socket", managed.control);
  }
  try {
    return { code: 0, out: JSON.stringify(await managed.reload()), err: "" };
  } catch (error) {
    return { code: 1, out: "", err: (error as Error).message };
  }
}
