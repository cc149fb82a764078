/**
 * What a rate lets through, second by second, under every strategy and with different numbers of workers:
 *
 *     node bench/policy.ts [--runtime node|node24|deno|bun]... [--seconds 10] [--strategy NAME]...
 *
 * More come than the rate lets through, evenly. The client counts who was greeted, by its own clock.
 */
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import type { RuntimeName } from "./case.ts";
import { clean, folder, start, stop } from "./processes.ts";
import { find, ROOT, type Runtime } from "./runtimes.ts";

/** Sessions a second that are let through, and that come; a process for each is no more than a machine bears. */
const FAST = { rate: 100, asked: 400, burst: 20 };
const SPAWN = { rate: 5, asked: 40, burst: 2 };
/** Seconds before those that are looked at one by one: the burst, and the start of the clients. */
const FIRST = 1;
/** Milliseconds that the last ones have to be greeted. */
const LAST = 2000;

interface Subject {
  readonly strategy: string;
  readonly workers?: number;
}

const SUBJECTS: readonly Subject[] = [
  { strategy: "async" },
  ...[1, 2, 4].map((workers) => ({ strategy: "threads", workers })),
  ...[1, 2, 4].map((workers) => ({ strategy: "processes", workers })),
  { strategy: "spawn" },
];

const PLUGIN = `
import { definePlugin } from ${JSON.stringify(join(ROOT, "runtime/mod.ts"))};
export default definePlugin({
  name: "greet",
  transports: ["stream"],
  start: () => ({
    setup(session) {
      session.write(".");
      session.end();
    },
    data() {},
  }),
});
`;

/** Starts the server; its port, and its end. */
async function serve(runtime: Runtime, subject: Subject, rate: string) {
  const home = folder();
  writeFileSync(join(home, "greet.ts"), PLUGIN);
  const greet = {
    plugin: "./greet.ts",
    listen: "tcp://127.0.0.1:0",
    concurrency: subject,
    limits: { rate },
    log: { type: "json", level: "info", events: ["listening", "ready"] },
  };
  writeFileSync(
    join(home, "portico.json"),
    JSON.stringify({ control: false, services: { greet } }),
  );
  const words = [join(ROOT, "runtime/main.ts"), "run", home];
  const child = start("any", [runtime.program, ...runtime.flags, ...words]);
  child.stderr!.pipe(process.stderr);
  let port = 0;
  for await (const line of createInterface({ input: child.stdout! })) {
    const { event, endpoint } = JSON.parse(line);
    if (event === "listening") port = Number(/\d+$/.exec(endpoint)![0]);
    if (event === "ready") break;
  }
  return { port, end: () => stop(child) };
}

/** Has so many come each second; when each that was greeted was, in ms. */
async function come(port: number, asked: number, seconds: number): Promise<number[]> {
  const greeted: number[] = [];
  const began = performance.now();
  let count = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setInterval(() => {
    const passed = performance.now() - began;
    if (passed > seconds * 1000) return resolve();
    for (; count < passed * asked / 1000; count++) {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      socket.once("data", () => {
        greeted.push(performance.now() - began);
        socket.destroy();
      });
    }
  }, 2);
  await promise;
  clearInterval(timer);
  await new Promise((resolve) => setTimeout(resolve, LAST));
  return greeted;
}

const { values } = parseArgs({
  options: {
    runtime: { type: "string", multiple: true, default: ["node", "deno", "bun"] },
    strategy: { type: "string", multiple: true },
    seconds: { type: "string", default: "10" },
  },
});
const seconds = Number(values.seconds);
console.log(
  "| runtime | strategy | workers | rate | come | of a second | of all | off |",
);
console.log("| --- | --- | --: | --: | --: | --: | --: | --: |");
for (const name of values.runtime) {
  const runtime = find(name as RuntimeName);
  for (const subject of SUBJECTS) {
    if (values.strategy?.includes(subject.strategy) === false) continue;
    const { rate, asked, burst } = subject.strategy === "spawn" ? SPAWN : FAST;
    const { port, end } = await serve(runtime, subject, `${rate}/s burst ${burst}`);
    const greeted = await come(port, asked, FIRST + seconds);
    await end();
    const counts = Array.from(
      { length: seconds },
      (_, i) => greeted.filter((time) => Math.floor(time / 1000) === FIRST + i).length,
    );
    const expected = burst + rate * (FIRST + seconds);
    const off = 100 * (greeted.length / expected - 1);
    const cells = [
      `${runtime.name} ${runtime.version}`,
      subject.strategy,
      subject.workers ?? "",
      `${rate}/s`,
      `${asked}/s`,
      `${Math.min(...counts)} to ${Math.max(...counts)}`,
      `${greeted.length} of ${expected}`,
      `${off.toFixed(1)} %`,
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
}
clean();
process.exit(0);
