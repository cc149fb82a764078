/** `portico ctl`: what it prints, and how it finds its server. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { controlPath } from "../../runtime/control/path.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { bytes, span } from "../../runtime/terminal/status.ts";
import { ECHO, fakeControl, serveControl, STATUS, withRuntimeFolder } from "./fake.ts";
import { type CommandResult, porticoWith } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { within } from "../support/until.ts";

describe("portico ctl", () => {
  const ctl = (...words: string[]): Promise<CommandResult> => porticoWith({}, "ctl", ...words);

  test("status prints a table for people, and JSON for programs", async (t) => {
    const { path, close } = await serveControl(t, fakeControl());
    const { code, out, err } = await ctl("status", "--socket", path);
    assert.deepEqual([code, err], [0, ""]);
    const lines = out.split("\n").map((line) => line.trimEnd().split(/ {2,}/));
    const counts = ["2", "1", "9", "3", "4", "1", "1.5 KiB", "0"];
    assert.deepEqual(lines.slice(0, 6), [
      [`/m/portico.json: Portico 1.2.3 on node 1, pid ${process.pid}, up 1d 1h`],
      [""],
      [
        "service",
        "state",
        "strategy",
        "live",
        "held",
        "served",
        "refused",
        "errors",
        "restarts",
        "in",
        "out",
        "endpoints",
      ],
      ["echo", "running", "processes", ...counts, "tcp://127.0.0.1:7"],
      ["", "unix:/run/echo"],
      ["time", "running", "async", ...counts, "-"],
    ]);
    assert.deepEqual(lines.slice(6), [
      [""],
      ["worker", "pid", "state", "live", "served", "up"],
      ["echo", "4242", "ready", "2", "9", "1h 1m"],
      [""],
      ["sink", "type", "dropped"],
      ["audit", "file", "7"],
      [""],
    ]);
    const json = await ctl("status", "echo", "--json", "--socket", path);
    assert.deepEqual(JSON.parse(json.out), { ...STATUS, services: [ECHO] });
    await close();
  });

  test("the other verbs print one line of what was done", async (t) => {
    const control = fakeControl();
    const { path, close } = await serveControl(t, control);
    const said = async (...words: string[]): Promise<string> => {
      const { code, out, err } = await ctl(...words, "--socket", path);
      assert.deepEqual([code, err], [0, ""], words.join(" "));
      return out;
    };
    assert.equal(await said("reload"), "reload: added new; changed echo; 1 unchanged\n");
    assert.equal(await said("suspend", "echo"), "suspend: echo\n");
    assert.equal(await said("resume"), "resume: echo, time\n");
    assert.equal(await said("drain", "time", "--json"), '["time"]\n');
    assert.equal(
      await said("upgrade", "--to", "bun"),
      "upgrade: process 77 has taken over\n",
    );
    assert.deepEqual(control.asked, [
      ["suspend", "echo"],
      ["resume", undefined],
      ["drain", "time"],
      [
        "upgrade",
        "bun",
      ],
    ]);
    await close();
  });

  test("bans, ban, unban and top are tables for people, and JSON for programs", async (t) => {
    const control = fakeControl();
    const { path, close } = await serveControl(t, control);
    const said = async (...words: string[]): Promise<string> => {
      const { code, out, err } = await ctl(...words, "--socket", path);
      assert.deepEqual([code, err], [0, ""], words.join(" "));
      return out;
    };
    assert.equal(
      await said("bans"),
      [
        "source     until                     refused  service  cause",
        "192.0.2.7  2026-11-28T13:00:00.000Z  3        echo     5 refusals in 1m: rule verify",
        "uid:7      2026-11-28T13:00:00.000Z  3        echo     operator",
        "",
      ].join("\n"),
    );
    assert.equal(JSON.parse(await said("bans", "--json"))[1].source, "uid:7");
    assert.match(await said("ban", "10.0.0.0/8", "--for", "2m", "--reason", "x y"), /^ban: 10\./);
    await said("ban", "::1", "--for", "none");
    await said("ban", "uid:7");
    assert.equal(await said("unban", "192.0.2.7"), "unban: 192.0.2.7\n");
    assert.equal(await said("unban", "--all", "--json"), '["192.0.2.7","uid:7"]\n');
    assert.deepEqual(control.asked, [
      ["ban", "10.0.0.0/8", 120_000, "x y"],
      ["ban", "::1", Infinity, "operator"],
      ["ban", "uid:7", 3_600_000, "operator"],
      ["unban", "192.0.2.7"],
      ["unban", undefined],
    ]);
    assert.equal(
      await said("top", "--once"),
      [
        "source     sessions  in       out  arrivals  refusals",
        "192.0.2.8  3         1 B      0    3         0",
        "192.0.2.7  2         2.0 KiB  5 B  9         1",
        "",
      ].join("\n"),
    );
    assert.equal(JSON.parse(await said("top", "--by", "bytes", "--json"))[0].source, "192.0.2.7");
    for (const words of [["unban"], ["unban", "::1", "--all"], ["ban", "::1", "--for", "0s"]]) {
      const { code, err } = await ctl(...words, "--socket", path);
      assert.equal(code, 2, err);
    }
    await close();
  });

  test("stop returns when the server has closed its socket", async (t) => {
    const asked = Promise.withResolvers<void>();
    const { path, close } = await serveControl(
      t,
      fakeControl({
        stop() {
          asked.resolve();
          return Promise.resolve(["echo", "time"]);
        },
      }),
    );
    const called = ctl("stop", "--socket", path);
    await within("the request", asked.promise);
    await close();
    assert.deepEqual(await called, { code: 0, out: "stop: echo, time\n", err: "" });
  });

  test("a service that there is not is the caller's mistake, a refusal is not", async (t) => {
    const { path, close } = await serveControl(
      t,
      fakeControl({
        reload: () => Promise.reject(new PorticoError("MANIFEST_INVALID", "it is wrong")),
      }),
    );
    const unknown = await ctl("drain", "tiem", "--socket", path);
    assert.equal(unknown.code, 2);
    assert.match(unknown.err, /received {2}"tiem"\n.*echo, time\n.*did you mean "time"\?/);
    const refused = await ctl("reload", "--socket", path);
    assert.deepEqual(refused, {
      code: 1,
      out: "",
      err: "error: the server refuses\n\nit is wrong\n",
    });
    await close();
  });

  test("nobody there: it says where it looked, and how to start", async (t) => {
    const path = join(folder(t, {}), "none");
    const { code, err } = await ctl("status", "--socket", path);
    assert.equal(code, 1);
    assert.equal(
      err,
      `error: no server is running there\n\n  received  nobody listens on unix:${path}\n  expected  a server, as started by: portico run\n`,
    );
  });

  test("a server is found by its manifest, also when that has been broken since", async (t) => {
    const services = { echo: { plugin: "echo", listen: "tcp://127.0.0.1:0" } };
    const home = folder(t, {
      "portico.json": JSON.stringify({ services }),
      "own.json": JSON.stringify({ services, control: "unix:./own.ctl" }),
      "off.json": JSON.stringify({ services, control: false }),
      "run/x": "",
    });
    const run = join(home, "run");
    const file = join(home, "portico.json");
    const path = withRuntimeFolder(run, () => controlPath({ file, control: undefined })!);
    const own = await serveControl(t, fakeControl(), join(home, "own.ctl"));
    const status = (...words: string[]): Promise<CommandResult> =>
      porticoWith({ XDG_RUNTIME_DIR: run, PORTICO_MANIFEST: home }, "ctl", "status", ...words);

    const nobody = await status();
    assert.equal(nobody.code, 1);
    assert.match(nobody.err, new RegExp(`unix:${path}\n.*portico run ${home}\n`));

    const server = await serveControl(t, fakeControl(), path);
    assert.equal((await status()).code, 0);
    assert.equal((await status("--manifest", join(home, "own.json"))).code, 0);
    const off = await status("--manifest", join(home, "off.json"));
    assert.equal(off.code, 1);
    assert.match(off.err, /off\.json says "control": false/);

    writeFileSync(file, "{");
    assert.equal((await status()).code, 0);
    await server.close();
    assert.equal((await status()).code, 2, "now it is the manifest that is wrong");
    await own.close();
  });
});

describe("units", () => {
  test("bytes and spans of time are short", () => {
    const sizes = [0, 1, 1023, 1024, 10_189, 10_240, 1_048_064, 1_048_576, 5e15];
    assert.deepEqual(sizes.map(bytes), [
      "0",
      "1 B",
      "1023 B",
      "1.0 KiB",
      "10 KiB",
      "10 KiB",
      "1.0 MiB",
      "1.0 MiB",
      "4.4 PiB",
    ]);
    assert.deepEqual([0.9, 59.9, 60, 3661, 90_061].map(span), [
      "0s",
      "59s",
      "1m 0s",
      "1h 1m",
      "1d 1h",
    ]);
  });
});
