import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { threadId } from "node:worker_threads";
import * as v from "valibot";
import type { Hooks, Session } from "../../../runtime/mod.ts";
import { definePlugin } from "../../../runtime/mod.ts";

const encoder = new TextEncoder();

/** Where it is served: by which process, and which thread of it. */
const here = (): string => `${process.pid}.${threadId}`;

/** Memory that has been asked for. */
const kept: Uint8Array[] = [];

/** What a session may ask for, by the first word that it says. The answer is one line. */
const COMMANDS: Readonly<Record<string, (session: Session, word: string) => string>> = {
  who: ({ id }) => `${here()} ${id}`,
  log({ log }, count) {
    for (let i = 1; i <= Number(count); i++) log.info("logged", { number: i });
    return "logged";
  },
  burn(_session, ms) {
    const end = performance.now() + Number(ms);
    while (performance.now() < end);
    return here();
  },
  throw() {
    throw new Error("a hook throws");
  },
  "throw-later"() {
    setTimeout(() => {
      throw new Error("nobody catches this");
    });
    return "thrown";
  },
  "reject-later"() {
    void Promise.reject(new Error("nobody awaits this"));
    return "rejected";
  },
  exit({ log }, code) {
    for (let i = 1; i <= 100; i++) log.info("last words", { number: i });
    process.exit(Number(code));
  },
  abort({ log }) {
    log.info("last words", { number: 1 });
    process.abort();
  },
  signal({ log }, name) {
    log.info("last words", { number: 1 });
    process.kill(process.pid, name);
    // V8's handler of SIGSEGV takes the first one for a fault that will come again.
    process.kill(process.pid, name);
    return "signalled";
  },
  loop({ log }) {
    log.info("last words", { number: 1 });
    for (;;);
  },
  grow(_session, megabytes) {
    for (let i = 0; i < Number(megabytes); i++) kept.push(new Uint8Array(1e6).fill(1));
    return "grown";
  },
  /** Opens so many files, or as many as there may be: what it says then. */
  open(_session, count) {
    const files: number[] = [];
    try {
      for (let i = 0; i < Number(count); i++) files.push(openSync("/dev/null", "r"));
      return "opened";
    } catch (error) {
      return (error as { code: string }).code;
    } finally {
      for (const file of files) closeSync(file);
    }
  },
  write(_session, path) {
    writeFileSync(path, "made by a worker");
    return "written";
  },
  program: (_session, name) =>
    (spawnSync(name).error as { code?: string } | undefined)?.code ?? "ran",
  env: (_session, name) => process.env[name] ?? "none",
  echo: (_session, word) => word,
};

function answer(session: Session, line: string): Uint8Array {
  const [name = "", ...words] = line.split(" ");
  const command = COMMANDS[name];
  if (command === undefined) throw new Error(`there is no command ${JSON.stringify(line)}`);
  return encoder.encode(`${command(session, words.join(" "))}\n`);
}

/** Counts the starts of all workers; true when this one is one of those that shall fail. */
function fails(folder: string, at: readonly number[]): boolean {
  for (let start = 1;; start++) {
    try {
      writeFileSync(join(folder, `start-${start}`), "", { flag: "wx" });
      return at.includes(start);
    } catch {
      // Another worker was this one.
    }
  }
}

const FORMS = {
  /** Echoes, chunk by chunk. */
  push: (): Hooks<string> => ({ data: (session, chunk) => void session.write(chunk) }),
  pull: (): Hooks<string> => ({
    async handle(session) {
      for await (const chunk of session) await session.send(chunk);
    },
  }),
  /** Does {@link COMMANDS}, a line at a time; datagrams one for each. */
  commands: (): Hooks<string> => ({
    async handle(session) {
      for await (const line of session.lines()) await session.send(answer(session, line));
    },
  }),
};

/** What the tests of strategies have served: tells where it runs, and does what brings a worker down. */
export default definePlugin({
  name: "probe",
  transports: ["stream", "datagram"],
  options: v.strictObject({
    form: v.picklist(["push", "pull", "commands"]),
    /** While this file is there, nobody is let in. */
    closed: v.optional(v.string()),
    /** A folder with a file for each session that is served now. */
    present: v.optional(v.string()),
    /** A folder where starts are counted, and the starts that fail. */
    starts: v.optional(v.string()),
    fail: v.optional(v.array(v.number()), []),
    /** Ends the worker so many milliseconds after its start. */
    dies: v.optional(v.number()),
    /** While this file is there, no start succeeds. */
    broken: v.optional(v.string()),
    hangs: v.optional(v.picklist(["start", "stop"])),
  }),
  start({ options, log }): Hooks<string> {
    const { form, closed, present, starts, fail, dies, hangs, broken } = options;
    if (broken !== undefined && existsSync(broken)) throw new Error("nothing works today");
    if (starts !== undefined && fails(starts, fail)) throw new Error("this start fails");
    if (dies !== undefined) setTimeout(() => process.exit(7), dies);
    if (hangs === "start") { for (;;); }
    log.debug("started", { where: here() });
    return {
      ...FORMS[form](),
      ...(closed !== undefined && { verify: () => !existsSync(closed) }),
      setup(session) {
        session.log.info("setup");
        if (present === undefined) return "";
        const file = join(present, `${session.id}`);
        writeFileSync(file, here());
        session.write(`${readdirSync(present).length} present\n`);
        return file;
      },
      finish(session) {
        session.log.info("finish");
        if (session.state !== "") rmSync(session.state);
      },
      error(session, error) {
        session.log.info("error hook", { message: (error as Error).message });
      },
      ...(hangs === "stop" && { stop: () => new Promise<never>(() => {}) }),
    };
  },
});
