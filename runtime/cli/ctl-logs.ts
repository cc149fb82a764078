/** `portico ctl logs`: the records of a server that runs, for people or for programs. */
import process from "node:process";
import { PorticoError } from "../core/errors.ts";
import type { LogRecord } from "../core/record.ts";
import { TextBuffer } from "../sinks/text-buffer.ts";
import { terminalLines } from "../sinks/text.ts";
import type { CallOf } from "../terminal/commands.ts";
import { print } from "../terminal/output.ts";
import { renderRows, show } from "../values/problem.ts";
import { isTerminal } from "../values/terminal.ts";
import type { ControlClient } from "./ctl-target.ts";

/** How many of the last records come first, when nobody says. */
const LINES = 20;
/** All that a server may have kept. */
const ALL = 1_000_000;

/**
 * Prints records until the server ends, and the successors of it do.
 *
 * @returns 0.
 * @throws PorticoError USAGE for a count that is none.
 */
export async function logs(client: ControlClient, call: CallOf<"ctl">): Promise<number> {
  const { service, level, json } = call;
  const follow = call["no-follow"] !== true;
  const format = json ? (record: LogRecord): string => `${JSON.stringify(record)}\n` : lines();
  // Who has read enough of a pipe closes it.
  const closed = Promise.withResolvers<number>();
  process.stdout.once("error", () => closed.resolve(0));
  const take = (item: unknown): Promise<void> =>
    print(format((item as { readonly record: LogRecord }).record));
  const ask = (count: number): Promise<unknown> =>
    client.ask({ command: "logs", service, level, lines: count, follow }, { take });
  return await Promise.race([closed.promise, stream(ask, countOf(call.lines), follow)]);
}

async function stream(
  ask: (count: number) => Promise<unknown>,
  count: number,
  follow: boolean,
): Promise<number> {
  await ask(count);
  while (follow) {
    try {
      // A successor has the same socket, and nothing of what it keeps has been shown.
      await ask(ALL);
    } catch (error) {
      if (error instanceof PorticoError && error.code === "NOT_RUNNING") break;
      throw error;
    }
  }
  return 0;
}

function countOf(text: string | undefined): number {
  if (text === undefined) return LINES;
  if (/^\d{1,6}$/.test(text)) return Number(text);
  const expected = "--lines COUNT, a whole number as 20";
  throw new PorticoError("USAGE", renderRows({ received: `--lines ${show(text)}`, expected }));
}

/** The words of the console sink. */
function lines(): (record: LogRecord) => string {
  const { NO_COLOR, TERM } = process.env;
  const line = terminalLines(isTerminal(1) && !NO_COLOR && TERM !== "dumb");
  const buffer = new TextBuffer();
  const decoder = new TextDecoder();
  return (record) => {
    buffer.clear();
    line({ ...record, time: Date.parse(String(record.time)) }, buffer);
    return decoder.decode(buffer.bytes);
  };
}
