/** Reloads, `kill -9` of workers and upgrades under a load of short connections: who fails, and of what. */
import process from "node:process";
import type { RuntimeName } from "../case.ts";
import { Generator, type RunningShort } from "../churn/client.ts";
import type { Runtime } from "../runtimes.ts";
import { ask } from "./ask.ts";
import type { Pace } from "./pace.ts";
import type { Part, Row } from "./part.ts";
import { ASYNC, type Concurrency, type Subject, title, withSubjects } from "./subject.ts";

const KINDS: readonly Concurrency[] = [
  ASYNC,
  { strategy: "threads", workers: 2 },
  { strategy: "processes", workers: 2 },
];
const LOAD = { concurrency: 8, rate: 600, bytes: 512 };
/** Where each third of the upgrades leads. */
const WAY: readonly RuntimeName[] = ["bun", "deno", "node"];
/** Milliseconds within which a stopped server is gone. */
const GONE = 20_000;

interface Status {
  readonly pid: number;
  readonly services: readonly {
    readonly workers: readonly { readonly pid: number; readonly state: string }[];
  }[];
}

async function control(subject: Subject, request: object): Promise<unknown> {
  const answer = JSON.parse(await ask(subject.control, `${JSON.stringify(request)}\n`)) as {
    readonly ok: boolean;
    readonly result: unknown;
    readonly message?: string;
  };
  if (!answer.ok) throw new Error(`${JSON.stringify(request)} was refused: ${answer.message}`);
  return answer.result;
}

const status = (subject: Subject): Promise<Status> =>
  control(subject, { command: "status" }) as Promise<Status>;

/** Kills a worker that serves, and waits until there is another one. */
async function kill(subject: Subject): Promise<void> {
  const ready = async (): Promise<number[]> =>
    (await status(subject)).services[0]!.workers.filter(({ state }) => state === "ready")
      .map(({ pid }) => pid);
  const [victim] = await ready();
  process.kill(victim!, "SIGKILL");
  for (;;) {
    const now = await ready();
    if (!now.includes(victim!) && now.length > 1) return;
  }
}

/** Ends whoever serves now: the process that was started first is long gone. */
async function stop(subject: Subject): Promise<void> {
  const { pid } = await status(subject);
  await control(subject, { command: "stop" }).catch(() => {});
  const end = performance.now() + GONE;
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    if (performance.now() > end) throw new Error(`process ${pid} does not end`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function go(subject: Subject, load: RunningShort, pace: Pace, forked: boolean) {
  const { reloads, kills, upgrades, connections } = pace.life;
  const events: (() => Promise<unknown>)[] = [];
  for (let i = 1; i <= reloads; i++) {
    events.push(() => {
      subject.configure({ version: i });
      return control(subject, { command: "reload" });
    });
  }
  if (forked) { for (let i = 0; i < kills; i++) events.splice(2 * i + 1, 0, () => kill(subject)); }
  const step = Math.floor(events.length / upgrades);
  for (let i = 0; i < upgrades; i++) {
    const request = { command: "upgrade", to: WAY[i % WAY.length] };
    events.splice(i * (step + 1) + step, 0, () => control(subject, request));
  }
  const each = Math.ceil(connections / (events.length + 1));
  for (const [at, event] of events.entries()) {
    await load.reached(each * (at + 1));
    await event();
  }
  return await load.reached(connections);
}

async function measure(runtime: Runtime, pace: Pace, concurrency: Concurrency): Promise<Row> {
  const wanted = {
    concurrency,
    plugin: "bench/portico/versioned.ts",
    options: { version: 0 },
    control: true,
  };
  const forked = concurrency.strategy === "processes";
  return await withSubjects(runtime, [wanted], async ([subject]) => {
    const generator = new Generator();
    try {
      const load = await generator.short({ endpoint: subject!.endpoint, ...LOAD });
      await go(subject!, load, pace, forked);
      const report = await load.stop();
      await stop(subject!);
      const { reloads, kills, upgrades } = pace.life;
      const { lost } = subject!;
      return {
        cells: [
          `${report.tried}`,
          `${reloads}`,
          `${forked ? kills : "–"}`,
          `${upgrades}`,
          `${report.failed}`,
          `${forked ? lost : "–"}`,
          `${report.missingBytes + report.wrongBytes}`,
          `${report.latency.p99.toFixed(1)} ms`,
        ],
        values: { report, lost },
      };
    } finally {
      await generator.close();
    }
  });
}

export const lifecycle: Part = {
  name: "lifecycle",
  title: "Reloads, killed workers and upgrades under load",
  text:
    `${LOAD.rate} connections a second, each with ${LOAD.bytes} B there and back. Reloads change ` +
    "an option; the upgrades lead from one runtime to the next; `kill -9` hits workers while they serve, " +
    "and only sessions inside them may fail.",
  head: [
    "strategy",
    "connections",
    "reloads",
    "kill -9",
    "upgrades",
    "failed",
    "inside killed workers",
    "bytes missing or wrong",
    "p99",
  ],
  rows: (runtime, pace) =>
    KINDS.map((kind) => ({
      label: title(kind),
      make: () => measure(runtime, pace, pace.self ? ASYNC : kind),
    })),
};
