/** Programs that are given a descriptor. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Support } from "../../runtime/core/contract.ts";
import type { Descriptors } from "../../runtime/core/descriptors.ts";
import type { Child, Program } from "../../runtime/core/process.ts";
import { adapter as ownAdapter } from "../support/adapter.ts";
import { excessIn, LIST } from "../support/given.ts";
import { until, within } from "../support/until.ts";
import { count, counted, read } from "./door.ts";
import type { Harness } from "./harness.ts";
import type { Case } from "./stage.ts";
import { both, programs } from "./stage.ts";

const SHELL = "/bin/sh";
const cwd = realpathSync(tmpdir());

/** What became of a program, with what it has said on its pipe and on its descriptor. */
interface Outcome {
  readonly child: Child;
  readonly exit: readonly [code: number | null, signal: string | null];
  readonly errors: string;
  readonly output: string;
}

/** Runs a program to its end. What it says on its descriptor has to be something. */
async function run(descriptors: Descriptors, more: Partial<Program>): Promise<Outcome> {
  const [ours, theirs] = descriptors.pair();
  try {
    descriptors.blocking(theirs);
    const env = { PATH: "/usr/bin:/bin", ONE: "a b" };
    const child = descriptors.spawn({
      path: SHELL,
      args: [],
      cwd,
      env,
      fd: theirs,
      stderr: "pipe",
      ...more,
    });
    let errors = "";
    child.stderr?.on("data", (chunk) => errors += new TextDecoder().decode(chunk));
    const closed = new Promise<void>((resolve) => child.once("close", resolve));
    const exit = await within(
      "its end",
      new Promise<Outcome["exit"]>((resolve, reject) => {
        child.once("exit", (...how) => resolve(how));
        child.once("error", reject);
      }),
    );
    await within("the end of its pipe", closed);
    descriptors.blocking(ours);
    return { child, exit, errors, output: await read(ours) };
  } finally {
    descriptors.close(ours);
    descriptors.close(theirs);
  }
}

const words = (script: string, ...args: readonly string[]): Partial<Program> => ({
  args: ["-c", script, ...args],
});

/** Another one starts programs as node:child_process does here, which lets them inherit more on Deno. */
const own = ({ adapter }: Harness): Support =>
  adapter.name === ownAdapter.name ? true : { reason: "it is not this runtime's own adapter" };

export const spawning: readonly Case[] = [
  {
    name: "a program has its arguments, folder, environment and streams; its end is told",
    only: "tcp",
    needs: counted,
    async run(stage) {
      const descriptors = await stage.adapter.descriptors();
      const before = count();
      const script = 'echo "$0|$1|$ONE|$(pwd)"; printf "why\\nnot" >&2; exit 7';
      const { exit, errors, output } = await run(descriptors, words(script, "é", "c d"));
      assert.deepEqual([...exit], [7, null]);
      assert.equal(output, `é|c d|a b|${cwd}\n`);
      assert.equal(errors, "why\nnot");
      const both = await run(descriptors, { ...words("echo out; echo err >&2"), stderr: "fd" });
      assert.equal(both.output, "out\nerr\n");
      assert.equal(both.child.stderr, null);
      const none = await run(descriptors, { ...words("echo out; echo err >&2"), stderr: "ignore" });
      assert.equal(none.output, "out\n");
      const killed = await run(descriptors, words("echo out; kill -TERM $$"));
      assert.deepEqual([...killed.exit], [null, "SIGTERM"]);
      const long = await run(descriptors, words("echo out; head -c 300000 /dev/zero >&2"));
      assert.equal(long.errors.length, 300_000);
      await until("no descriptor to be left", () => count() <= before);
    },
  },
  {
    name: "a program leads a session, ignores and blocks no signal, and inherits only its streams",
    only: "tcp",
    needs: (harness) => both(both(counted(harness), programs("grep")(harness)), own(harness)),
    async run(stage) {
      const descriptors = await stage.adapter.descriptors();
      const signals = words("grep -E '^Sig(Blk|Ign)' /proc/self/status");
      const masks = (await run(descriptors, signals)).output.match(/\S+$/gm);
      // The first 31 of 64: a runtime may have set the real-time signals aside.
      assert.deepEqual(masks!.map((mask) => Number.parseInt(mask, 16) & 0x7fff_ffff), [0, 0]);
      const led = await run(descriptors, words('cut -d" " -f6 /proc/$$/stat'));
      assert.equal(Number(led.output), led.child.pid);
      const list = await run(descriptors, words(`exec ${LIST.join(" ")}`));
      assert.deepEqual(excessIn(list.output), []);
    },
  },
  {
    name: "a program that cannot be started is an error with a code, and leaves nothing",
    only: "tcp",
    needs: counted,
    async run(stage) {
      const descriptors = await stage.adapter.descriptors();
      const [ours, theirs] = descriptors.pair();
      const before = count();
      const start = async (path: string): Promise<unknown> => {
        const env = {};
        const child = descriptors.spawn({ path, args: [], cwd, env, fd: theirs, stderr: "pipe" });
        const [error] = await once(child as never, "error");
        throw error;
      };
      await assert.rejects(start("/no/such"), { code: "ENOENT" });
      await assert.rejects(start("/etc/passwd"), { code: "EACCES" });
      await until("no descriptor to be left", () => count() <= before);
      descriptors.close(ours);
      descriptors.close(theirs);
    },
  },
];
