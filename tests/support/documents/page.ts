/** A page's folder: the files that its blocks are, and what its commands do there. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { command, MAIN } from "../command.ts";
import { lackingPrograms, type ProgramName, PROGRAMS } from "../packages.ts";
import { until } from "../until.ts";
import type { Block } from "./blocks.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url).href);

/** The ports that pages write. Each page's run has others in their place, so that nothing is in its way. */
const PORT = /(?<![\d.])7\d{3}(?![\d.]*\d)/g;

const isText = (name: string): boolean => /\.(?:[cm]?[jt]s|jsonc?|txt|py|conf)$/.test(name);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise<unknown>((resolve) => server.close(resolve));
  return port;
}

/** Why a page's commands cannot be run here; false when they can. */
export function lackingForPage(blocks: readonly Block[]): string | false {
  const words = commandsOf(blocks).flatMap((line) => line.split(/[^\w.-]+/));
  const names = new Set(words.filter((word) => Object.hasOwn(PROGRAMS, word)));
  return lackingPrograms(...[...names] as ProgramName[]);
}

/** What a page has run, in its order. */
export function commandsOf(blocks: readonly Block[]): readonly string[] {
  return blocks.flatMap(({ marks, code }) => {
    const line = marks.run ?? marks.start;
    return line === undefined ? [] : [line === "" ? code : line];
  });
}

/** Writes the files of a page; of those of one name the first. */
export function writeFiles(folder: string, blocks: readonly Block[]): void {
  for (const block of blocks) {
    const file = join(folder, block.marks.file ?? "");
    if (block.marks.file !== undefined && !existsSync(file)) write(file, textOf(block));
    copyInto(folder, block);
  }
}

/** The text of a block with what its page hides of it. */
export function textOf({ marks: { hidden }, code }: Block): string {
  return hidden === undefined ? code : `${hidden}\n${code}`;
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function copyInto(folder: string, { marks: { copy } }: Block): void {
  if (copy !== undefined) cpSync(join(ROOT, copy), join(folder, copy), { recursive: true });
}

/** Something that was started and runs on. */
interface Running {
  readonly child: ChildProcess;
  output: string;
  ended: boolean;
}

/** Runs the commands of a page in its folder, one after the other. */
export class Page {
  readonly #folder: string;
  readonly #ports: Map<string, string> = new Map();
  readonly #env: Record<string, string>;
  #running: Running | undefined;
  #printed = "";

  constructor(folder: string) {
    this.#folder = folder;
    const programs = join(folder, ".programs");
    mkdirSync(programs, { recursive: true });
    const [program, words] = command(MAIN);
    const portico = [program, ...words].map((word) => `'${word}'`).join(" ");
    const script = (name: string, line: string): void =>
      writeFileSync(join(programs, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
    script("portico", `exec ${portico} "$@"`);
    script("npx", 'exec "$@"');
    this.#env = {
      ...process.env as Record<string, string>,
      PATH: [programs, join(ROOT, "node_modules/.bin"), process.env["PATH"]].join(delimiter),
      XDG_RUNTIME_DIR: programs,
      NO_COLOR: "1",
    };
  }

  /** The text with a port that is free for every one that it names. */
  async #mapped(text: string): Promise<string> {
    for (const [port] of text.matchAll(PORT)) {
      if (!this.#ports.has(port)) this.#ports.set(port, String(await freePort()));
    }
    return text.replaceAll(PORT, (port) => this.#ports.get(port)!);
  }

  /** What was printed, as a reader would see it. */
  #shown(text: string): string {
    let shown = stripVTControlCharacters(text);
    for (const [port, free] of this.#ports) shown = shown.replaceAll(free, port);
    return shown.trimEnd();
  }

  /** Does what a block is for: writes its file, runs it, or compares what was printed. */
  async step(block: Block): Promise<void> {
    const { line, marks, code } = block;
    try {
      if (marks.copy !== undefined) await this.#copy(block);
      if (marks.file !== undefined) {
        write(join(this.#folder, marks.file), await this.#mapped(textOf(block)));
      }
      if (marks.start !== undefined) await this.#start(await this.#mapped(marks.start || code));
      if (marks.run !== undefined) await this.#run(await this.#mapped(marks.run || code));
      if (marks.output !== undefined) this.#compare(code);
    } catch (error) {
      throw new Error(`line ${line}: ${(error as Error).message}`, { cause: error });
    }
  }

  async #copy(block: Block): Promise<void> {
    copyInto(this.#folder, block);
    const within = join(this.#folder, block.marks.copy!);
    for (const name of globSync("**/*", { cwd: within })) {
      const file = join(within, name);
      if (isText(name) && statSync(file).isFile()) {
        writeFileSync(file, await this.#mapped(readFileSync(file, "utf8")));
      }
    }
  }

  #spawn(line: string): Running {
    const child = spawn("sh", ["-euc", line], {
      cwd: this.#folder,
      env: this.#env,
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own, to be ended as a whole.
      detached: true,
    });
    const running: Running = { child, output: "", ended: false };
    const take = (text: string): void => void (running.output += text);
    child.stdout.setEncoding("utf8").on("data", take);
    child.stderr.setEncoding("utf8").on("data", take);
    child.once("close", () => running.ended = true);
    return running;
  }

  async #start(line: string): Promise<void> {
    await this.close();
    const running = this.#running = this.#spawn(line);
    await until(
      () => `ready of ${line}${running.output}`,
      () => running.ended || /\bready\b/.test(running.output),
    );
    assert.ok(!running.ended, `${line} has ended: ${running.output}`);
    this.#printed = running.output;
  }

  async #run(line: string): Promise<void> {
    const running = this.#spawn(line);
    try {
      await until(() => `the end of ${line}${running.output}`, () => running.ended, 20_000);
    } finally {
      if (!running.ended) signal(running.child, "SIGKILL");
    }
    assert.equal(running.child.exitCode, 0, `${line}${running.output}`);
    this.#printed = running.output;
  }

  #compare(wanted: string): void {
    const pattern = patternOf(wanted);
    if (pattern.test(this.#shown(this.#printed))) return;
    assert.fail(`it prints\n${this.#shown(this.#printed)}\nand the page says\n${wanted}`);
  }

  /** Ends what runs. */
  async close(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    if (running === undefined || running.ended) return;
    signal(running.child, "SIGTERM");
    try {
      await until("the end of what the page has started", () => running.ended, 5000);
    } finally {
      if (!running.ended) signal(running.child, "SIGKILL");
    }
  }
}

function signal(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, name);
  } catch {
    // It has gone.
  }
}

/**
 * What a page shows, as a pattern: `…` is anything in a line, a line of it alone any lines. Columns may be
 * of another width.
 */
export function patternOf(wanted: string): RegExp {
  const lines = wanted.trimEnd().split("\n").map((line) => {
    if (line.trim() === "…") return "(?:[^\\n]*\\n?)*?";
    const parts = line.trimEnd().split("…").map((text) =>
      text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&").replace(/ +/g, " +")
    );
    return `${parts.join("[^\\n]*?")} *(?:\\n|$)`;
  });
  return new RegExp(`^${lines.join("")}$`);
}
