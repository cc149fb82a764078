/**
 * Short connections, and connections that stay: a load that counts every connect, reset and missing
 * byte. It runs on Node as a process of its own, whatever is tested, so that the server has the other
 * core. `node bench/churn.ts --help`; tests and benchmarks steer it through `churn/client.ts`.
 */
import process from "node:process";
import { Long } from "./churn/long.ts";
import type { LongReport, ShortReport } from "./churn/report.ts";
import { Short } from "./churn/short.ts";
import { steer } from "./churn/steer.ts";
import { HELP, type Words, words } from "./churn/words.ts";
import { UsageError } from "./usage.ts";

/** Ctrl-C, SIGTERM or the end of the time; and the clock of the time, which holds nobody up. */
function end(seconds: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  process.once("SIGINT", () => resolve());
  process.once("SIGTERM", () => resolve());
  if (Number.isFinite(seconds)) setTimeout(resolve, seconds * 1_000);
  return promise;
}

function show(report: ShortReport | LongReport): string {
  const lines = Object.entries(report).map(([name, value]) => {
    const text = typeof value === "number" && !Number.isInteger(value)
      ? value.toFixed(3)
      : JSON.stringify(value);
    return `${name.padEnd(14)} ${text}\n`;
  });
  return lines.join("");
}

async function run(wanted: Words): Promise<void> {
  if (wanted.kind === "help") return void process.stdout.write(HELP);
  if (wanted.kind === "steered") return await steer();
  let report: ShortReport | LongReport;
  let bad: boolean;
  if (wanted.kind === "long") {
    const load = new Long(wanted.load);
    await end(wanted.seconds);
    const counts = report = await load.stop();
    bad = counts.broken + counts.wrongBytes > 0;
  } else {
    const load = new Short(wanted.load);
    await Promise.race([load.done, end(wanted.seconds)]);
    const counts = report = await load.stop();
    bad = counts.completed < counts.tried;
  }
  process.stdout.write(wanted.json ? `${JSON.stringify(report)}\n` : show(report));
  if (bad) process.exitCode = 1;
}

try {
  await run(words(process.argv.slice(2)));
} catch (error) {
  const usage = error instanceof UsageError || error instanceof RangeError ||
    error instanceof SyntaxError;
  if (!usage) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
// A load of which nobody wants the end any more would keep it alive.
process.exit();
