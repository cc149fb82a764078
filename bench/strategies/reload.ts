/** From the command to reload to its answer, with a changed option, while the service is used. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { Generator } from "../churn/client.ts";
import { QUESTION } from "../portico/versioned.ts";
import { environment, ROOT, type Runtime } from "../runtimes.ts";
import { median } from "../statistics.ts";
import { ask } from "./ask.ts";
import type { Pace } from "./pace.ts";
import { ms, type Part, type Row } from "./part.ts";
import { ASYNC, type Concurrency, type Subject, title, withSubjects } from "./subject.ts";

const KINDS: readonly Concurrency[] = [
  ASYNC,
  { strategy: "threads", workers: 2 },
  { strategy: "processes", workers: 2 },
  { strategy: "spawn" },
];
const LOAD = { concurrency: 4, rate: 100, bytes: 256 };
const SLOW_LOAD = { concurrency: 2, rate: 10, bytes: 256 };
const LONG = { connections: 4, everyMs: 50 };

const call = promisify(execFile);

/** `portico ctl`, on the same runtime. @throws with what it says when it fails. */
async function ctl(runtime: Runtime, subject: Subject, verb: string): Promise<number> {
  const words = [...runtime.flags, join(ROOT, "runtime/main.ts"), "ctl", verb];
  const began = performance.now();
  await call(runtime.program, [...words, "--manifest", subject.manifest], { env: environment });
  return performance.now() - began;
}

/** The same over the control socket: what the server itself needs. */
async function direct(subject: Subject): Promise<number> {
  const began = performance.now();
  const answer = JSON.parse(await ask(subject.control, '{"command":"reload"}\n')) as {
    ok: boolean;
    message?: string;
  };
  if (!answer.ok) throw new Error(`the reload was refused: ${answer.message}`);
  return performance.now() - began;
}

/** Changes the option, has it read, and sees that a new session has it. */
async function change(
  subject: Subject,
  version: number,
  reload: () => Promise<number>,
): Promise<number> {
  subject.configure({ version });
  const took = await reload();
  const served = Number(await ask(subject.port, QUESTION));
  if (served === version) return took;
  throw new Error(
    `after the reload a new session was served with options ${served}, not ${version}`,
  );
}

async function times(runtime: Runtime, pace: Pace, subject: Subject) {
  const command: number[] = [];
  const socket: number[] = [];
  const status: number[] = [];
  for (let version = 1; version <= pace.reloads; version++) {
    status.push(await ctl(runtime, subject, "status"));
    command.push(await change(subject, 2 * version, () => ctl(runtime, subject, "reload")));
    socket.push(await change(subject, 2 * version + 1, () => direct(subject)));
  }
  return { command, socket, status };
}

async function measure(runtime: Runtime, pace: Pace, concurrency: Concurrency): Promise<Row> {
  const wanted = {
    concurrency,
    plugin: "bench/portico/versioned.ts",
    options: { version: 0 },
    control: true,
  };
  return await withSubjects(runtime, [wanted], async ([subject]) => {
    const generator = new Generator();
    try {
      const { endpoint } = subject!;
      const slow = concurrency.strategy === "spawn";
      const short = await generator.short({ endpoint, ...(slow ? SLOW_LOAD : LOAD) });
      // Not part of what is promised: the sessions of a changed service are drained.
      const long = slow ? undefined : await generator.long({ endpoint, ...LONG });
      const took = await times(runtime, pace, subject!);
      const report = await short.stop();
      const stayed = await long?.stop();
      return {
        cells: [
          ms(median(took.command)),
          ms(median(took.status)),
          ms(median(took.socket)),
          ms(Math.max(...took.socket)),
          `${report.tried - report.completed} of ${report.tried}`,
        ],
        values: { ...took, report, stayed },
      };
    } finally {
      await generator.close();
    }
  });
}

export const reload: Part = {
  name: "reload",
  title: "A reload with a changed option",
  text: `While ${LOAD.rate} connections a second come and go (spawn: ${SLOW_LOAD.rate}). ` +
    "`portico ctl reload` from its start to its end; `ctl status` beside it shows how much of that is the " +
    "command's own; then the same over the control socket: what the server needs until the new " +
    "options are served.",
  head: ["strategy", "ctl reload", "ctl status", "server's part", "longest", "failed"],
  rows: (runtime, pace) =>
    KINDS.map((kind) => ({
      label: title(kind),
      make: () => measure(runtime, pace, pace.self ? ASYNC : kind),
    })),
};
