/** `portico ctl top`: who is there, live. */
import process from "node:process";
import { clearTimeout, setTimeout } from "node:timers";
import type { SourceStatus } from "../control/policy.ts";
import type { CallOf } from "../terminal/commands.ts";
import { columns, print, printJson } from "../terminal/output.ts";
import { bytes } from "../terminal/status.ts";
import { isTerminal } from "../values/terminal.ts";
import type { ControlClient } from "./ctl-target.ts";

/** Milliseconds between two tables; and that one look takes. */
const PERIOD = 2000;
const LOOK = 1000;
/** Rows of a table for somebody who does not look at a terminal. */
const ROWS = 20;

const HEAD = ["source", "sessions", "in", "out", "arrivals", "refusals"];

type By = NonNullable<CallOf<"ctl">["by"]>;

const WEIGHT: Readonly<Record<By, (source: SourceStatus) => number>> = {
  sessions: ({ sessions }) => sessions,
  bytes: ({ bytesIn, bytesOut }) => bytesIn + bytesOut,
  refusals: ({ refused }) => refused,
  arrivals: ({ arrived }) => arrived,
};

/** Prints one table, or one after the other until Ctrl-C. @returns 0. */
export async function top(client: ControlClient, call: CallOf<"ctl">): Promise<number> {
  const { json, by = "sessions", once = false } = call;
  const ask = async (): Promise<SourceStatus[]> =>
    inOrder(await client.ask({ command: "top" }) as readonly SourceStatus[], by);
  // What has come and was refused is counted from now on.
  let sources = await ask();
  if (once || json || !isTerminal(1)) {
    await pause(LOOK);
    sources = await ask();
    await (json ? printJson(sources) : print(render(sources, ROWS)));
    return 0;
  }
  const ended = Promise.withResolvers<void>();
  const end = (): void => ended.resolve();
  process.once("SIGINT", end);
  process.once("SIGTERM", end);
  process.stdout.once("error", end);
  let over = false;
  void ended.promise.then(() => over = true);
  while (!over) {
    const { rows = 24 } = process.stdout;
    // Home, the table over the one before, and what is left of that goes.
    const table = render(sources, rows - 2).replaceAll("\n", "\x1b[K\n");
    await print(`\x1b[H${table}\x1b[J`);
    await Promise.race([pause(PERIOD), ended.promise]);
    if (!over) sources = await ask();
  }
  return 0;
}

function inOrder(sources: readonly SourceStatus[], by: By): SourceStatus[] {
  const weight = WEIGHT[by];
  return [...sources].sort((a, b) =>
    weight(b) - weight(a) || b.sessions - a.sessions || (a.source < b.source ? -1 : 1)
  );
}

function render(sources: readonly SourceStatus[], most: number): string {
  const rows = sources.slice(0, Math.max(1, most - 1)).map((one) => [
    one.source,
    String(one.sessions),
    bytes(one.bytesIn),
    bytes(one.bytesOut),
    String(one.arrived),
    String(one.refused),
  ]);
  const more = sources.length - rows.length;
  return columns([HEAD, ...rows]) + (more > 0 ? `and ${more} more\n` : "");
}

async function pause(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await promise;
  clearTimeout(timer);
}
