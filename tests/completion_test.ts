/** The scripts that complete a call, in the shells that are here. */
import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { COMMANDS } from "../runtime/terminal/commands.ts";
import { bashScript } from "../runtime/terminal/completion/bash.ts";
import { fishScript } from "../runtime/terminal/completion/fish.ts";
import { CONTEXTS } from "../runtime/terminal/completion/model.ts";
import { zshScript } from "../runtime/terminal/completion/zsh.ts";
import { portico, runToEnd } from "./support/command.ts";
import { folder } from "./support/folder.ts";
import { lackingPrograms } from "./support/packages.ts";

/** Answers for the server that is meant, and for that of the current folder. */
const PORTICO = `#!/bin/sh
case "$*" in
  "ctl status --json --manifest app/portico.json") echo '{"services":[{"service":"time"}]}' ;;
  "ctl status --json") echo '{"services":[{"service":"echo"},{"service":"mail"}]}' ;;
esac
`;

/** A folder to complete in, with a `portico` that answers for a server. */
function place(t: Pick<TestContext, "after">, script: string): {
  home: string;
  variables: Record<string, string>;
} {
  const home = folder(t, {
    "script": script,
    "portico": PORTICO,
    "app/portico.json": "",
  });
  chmodSync(join(home, "portico"), 0o755);
  const path = `${home}${delimiter}${process.env["PATH"]}`;
  return { home, variables: { PATH: path, HOME: home, TERM: "dumb" } };
}

/** What can stand in the place of the last word. */
const LINES: readonly (readonly [string, string])[] = [
  ["portico c", "check compile completion ctl"],
  ["portico --w", "--watch"],
  ["portico ctl st", "status stop"],
  ["portico ctl status ", "echo mail"],
  ["portico ctl --manifest app/portico.json stop ", "time"],
  ["portico ctl --manifest ap", "app/"],
  ["portico ctl upgrade --to ", "bun deno node"],
  ["portico ctl logs --level w", "warn"],
  ["portico ctl logs --l", "--level --lines"],
  ["portico completion ", "bash fish zsh"],
  ["portico help ct", "ctl"],
  ["portico check ap", "app/"],
];

const sorted = (text: string): string => text.split(/\s+/).filter(Boolean).sort().join(" ");

test("bash completes commands, verbs, options, their values, paths and services", {
  skip: lackingPrograms("bash", "grep", "cut"),
}, async (t) => {
  const { home, variables } = place(t, bashScript());
  const more = [["portico ctl upgrade --to = b", "bun"], ["portico ctl restart", "restart"]];
  for (const [line, expected] of [...LINES, ...more] as readonly (readonly [string, string])[]) {
    const words = line.split(" ");
    const body = `cd "$1"; shift; source ./script; complete -p portico >/dev/null
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _portico 2>/dev/null
      printf '%s\n' "\${COMPREPLY[@]}"`;
    const { code, out, err } = await runToEnd(
      ["bash", ["--norc", "-c", body, "bash", home, ...words]],
      variables,
    );
    assert.deepEqual([code, err], [0, ""], line);
    // The slash behind a folder is readline's.
    assert.equal(sorted(out), expected.replace(/\/$/, ""), line);
  }
});

test("fish completes the same", { skip: lackingPrograms("fish") }, async (t) => {
  const { home, variables } = place(t, fishScript());
  for (const [line, expected] of LINES) {
    const body = `cd ${home}; source ./script; complete -C '${line}'`;
    const { code, out } = await runToEnd(["fish", ["--no-config", "-c", body]], variables);
    assert.equal(code, 0, line);
    const found = out.split("\n").map((row) => row.split("\t")[0]!).join(" ");
    assert.equal(sorted(found), expected, line);
  }
});

/** Types into a shell that has a terminal, and waits for what it shows. */
const TYPIST = `
import fcntl, json, os, pty, select, struct, sys, termios, time
home, lines = sys.argv[1], json.loads(sys.argv[2])
pid, fd = pty.fork()
if pid == 0:
    os.chdir(home)
    os.execvp("zsh", ["zsh", "-f", "-i"])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 150, 0, 0))
def until(words):
    shown, end = b"", time.time() + 10
    while time.time() < end:
        if select.select([fd], [], [], 0.1)[0]:
            shown += os.read(fd, 65536)
        if all(word.encode() in shown for word in words):
            return
    sys.exit("no %s in %r" % (words, shown))
setup = "PROMPT='> '; autoload -Uz compinit; compinit -u -D; source ./script; setopt auto_list no_auto_menu; unsetopt list_ambiguous; print rea''dy\\n"
os.write(fd, setup.encode())
until(["ready"])
for line, words in lines:
    os.write(fd, b"\\x15" + line.encode() + b"\\t")
    until(words)
os.kill(pid, 9)
`;

test("zsh completes the same", { skip: lackingPrograms("zsh", "python3") }, async (t) => {
  const { home, variables } = place(t, zshScript());
  const lines = LINES.map(([line, words]) => [line, words.split(" ")]);
  const { code, err } = await runToEnd(
    ["python3", ["-c", TYPIST, home, JSON.stringify(lines)]],
    variables,
  );
  assert.equal(code, 0, err);
});

test("every script knows every command, verb and option", async () => {
  for (
    const [shell, script] of [["bash", bashScript()], ["zsh", zshScript()], ["fish", fishScript()]]
  ) {
    for (const { name, options } of CONTEXTS) {
      assert.ok(script!.includes(name.split(" ").at(-1)!), `${shell}: ${name}`);
      for (const option of options) {
        assert.match(script!, new RegExp(`(?:--|-l )${option.name}\\b`));
      }
    }
    const { code, out } = await portico("completion", shell!);
    assert.deepEqual([code, out], [0, script]);
  }
  const { code, err } = await portico("completion", "tcsh");
  assert.equal(code, 2);
  assert.match(err, /"tcsh"\n.*one of bash, zsh, fish/);
  assert.ok(CONTEXTS.length > COMMANDS.length);
});
