import type { Sink } from "../core/record.ts";
import { jsonLine } from "./line.ts";
import { lineSink } from "./lines.ts";
import { openNone } from "./none.ts";
import { standard, type Stream } from "./standard.ts";

/** One record a line on a standard stream, for programs. */
export function openJson(stream?: Stream, warn?: (message: string) => void): Sink {
  const writer = standard(stream, warn);
  return writer === undefined ? openNone() : lineSink(writer, jsonLine);
}
