/** Prints a line for a terminal of noon in UTC, in a process of its own. */
import process from "node:process";
import { terminalLines } from "../../runtime/sinks/text.ts";
import { lineOf, record } from "../sinks/record.ts";

const noon = record({ time: Date.parse("2026-01-15T12:00:00.007Z") });
process.stdout.write(lineOf(terminalLines(false), noon));
