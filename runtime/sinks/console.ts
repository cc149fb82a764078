import process from "node:process";
import type { Sink } from "../core/record.ts";
import { isTerminal } from "../values/terminal.ts";
import { lineSink } from "./lines.ts";
import { openNone } from "./none.ts";
import { standard, type Stream } from "./standard.ts";
import { terminalLines } from "./text.ts";

/** Lines for people on a standard stream; in colour where that is a terminal and NO_COLOR is not set. */
export function openConsole(stream?: Stream, warn?: (message: string) => void): Sink {
  const writer = standard(stream, warn);
  if (writer === undefined) return openNone();
  const { NO_COLOR, TERM } = process.env;
  const terminal = isTerminal(stream === "stderr" ? 2 : 1);
  return lineSink(writer, terminalLines(terminal && !NO_COLOR && TERM !== "dumb", terminal));
}
