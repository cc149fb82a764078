import process from "node:process";
import { isatty } from "node:tty";
import type { Sink } from "../core/record.ts";
import { lineSink } from "./lines.ts";
import { stdout } from "./stdout.ts";
import { terminalLines } from "./text.ts";

/** Lines for people on standard output; in colour where that is a terminal and NO_COLOR is not set. */
export function openConsole(): Sink {
  const { NO_COLOR, TERM } = process.env;
  const colour = isatty(1) && !NO_COLOR && TERM !== "dumb";
  return lineSink(stdout(), terminalLines(colour));
}
