import type { Sink } from "../core/record.ts";
import { jsonLine } from "./line.ts";
import { lineSink } from "./lines.ts";
import { stdout } from "./stdout.ts";

/** One record a line on standard output, for programs. */
export function openJson(): Sink {
  return lineSink(stdout(), jsonLine);
}
