/** Quantities in a plugin's options, written as in the rest of the manifest. */
import * as v from "valibot";
import { parseDuration, parseSize } from "../runtime/mod.ts";

/** Timers count no further, in ms. */
const DURATION_MAX = 2 ** 31 - 1;

/** Milliseconds above 0. @param text what they are for, told by editors. */
export function duration(text = "a duration"): v.GenericSchema<string | number, number> {
  const expected =
    'a duration above 0: "250ms", "30s", "5m", "1h" or a number of milliseconds, below 596h';
  return v.pipe(
    v.union([v.string(), v.number()], expected),
    v.description(text),
    v.transform((value) => typeof value === "string" ? parseDuration(value) : value),
    v.check((value) => value > 0 && value <= DURATION_MAX, expected),
  );
}

/** Bytes, from 1 to `most`. */
export function size(most: number, text = "a size"): v.GenericSchema<string | number, number> {
  const expected = `a size: "4KiB" or a number of bytes, from 1 to ${most}`;
  return v.pipe(
    v.union([v.string(), v.number()], expected),
    v.description(text),
    v.transform((value) => typeof value === "string" ? parseSize(value) : value),
    v.check((value) => Number.isInteger(value) && value >= 1 && value <= most, expected),
  );
}

/** A whole number above 0. */
export function count(): v.GenericSchema<number, number> {
  const expected = "a whole number above 0";
  return v.pipe(v.number(expected), v.integer(expected), v.minValue(1, expected));
}

/** A schema that tells editors what it is for. */
export function described<Input, Output>(
  schema: v.GenericSchema<Input, Output>,
  text: string,
): v.GenericSchema<Input, Output> {
  return v.pipe(schema, v.description(text));
}
