/**
 * The parts that the schemas of manifests and sinks are built of. Each carries the text that says what would be right: it is
 * the `expected` line of an error as it stands.
 */
import * as v from "valibot";
import {
  BYTE_RATE,
  COUNT,
  DURATION,
  DURATION_MAX,
  parseByteRate,
  parseCount,
  parseDuration,
  parseProgress,
  parseRate,
  parseSize,
  PROGRESS,
  RATE,
  SIZE,
} from "../core/units.ts";

/** The kinds of a JSON value that a choice can be made by. */
export type Kind = "string" | "number" | "boolean" | "array" | "object";

/** The alternatives of {@link choice}, kept for the JSON Schema. */
export const CHOICES: WeakMap<object, readonly v.GenericSchema[]> = new WeakMap();

type Options = Readonly<Partial<Record<Kind, v.GenericSchema>>>;
type OptionOf<O extends Options> = Extract<O[keyof O], v.GenericSchema>;

/**
 * One of several schemas, chosen by the kind of the value. Unlike a union, it tells what is wrong
 * with the one that was meant.
 */
export function choice<const O extends Options>(
  expected: string,
  options: O,
): v.LazySchema<OptionOf<O>> {
  const otherwise = v.never(expected);
  const schema = v.lazy((input) => {
    const kind = Array.isArray(input) ? "array" : typeof input;
    const option = input === null ? undefined : options[kind as Kind];
    return (option ?? otherwise) as OptionOf<O>;
  });
  CHOICES.set(schema, [...new Set(Object.values(options) as v.GenericSchema[])]);
  return schema;
}

/** Says which keys an object takes; `manifest/issues.ts` reads the list out of the message. */
export function strict<const E extends v.ObjectEntries>(
  expected: string,
  entries: E,
): v.StrictObjectSchema<E, v.ErrorMessage<v.StrictObjectIssue>> {
  return noList(v.strictObject(entries, (issue) => {
    if (issue.expected === "never") return Object.keys(entries).join(", ");
    if (issue.expected === "Object") return expected;
    const key = JSON.parse(issue.expected!) as string;
    const described = v.getDescription(entries[key] as v.GenericSchema);
    return described === undefined
      ? `the key ${issue.expected}`
      : `${issue.expected}: ${described}`;
  }));
}

/** Valibot takes a list for an object, with indices as keys; a manifest means something else. */
export function noList<const S extends v.GenericSchema>(schema: S): S {
  return {
    ...schema,
    "~run": (dataset, config) =>
      schema["~run"](Array.isArray(dataset.value) ? { value: null } : dataset, config),
  };
}

/**
 * An entry that may be absent, with its description for editors. Its schema is made when a value is
 * there, or an editor asks: most entries of a manifest are absent.
 */
export function entry<const S extends v.GenericSchema>(
  description: string,
  make: () => S,
): v.OptionalSchema<
  v.SchemaWithPipe<readonly [S, v.DescriptionAction<v.InferOutput<S>, string>]>,
  undefined
> {
  const once = () => v.pipe(make(), v.description(description));
  let made: ReturnType<typeof once> | undefined;
  const optional = v.optional(ANYTHING);
  const wrapped = { enumerable: true, get: () => made ??= once() };
  const expects = { enumerable: true, get: () => `(${wrapped.get().expects} | undefined)` };
  return Object.defineProperties(optional, { wrapped, expects }) as unknown as v.OptionalSchema<
    ReturnType<typeof once>,
    undefined
  >;
}

const ANYTHING = v.unknown();

/** True or false. */
export function flag(): v.BooleanSchema<string> {
  return v.boolean("true or false");
}

/** A whole number from `least` to `most`. */
export function integer(least: number, most: number, expected: string) {
  return v.pipe(
    v.number(expected),
    v.integer(expected),
    v.minValue(least, expected),
    v.maxValue(most, expected),
  );
}

/** What a quantity is read from: a number, or text with a unit. */
interface Quantity {
  readonly expected: string;
  readonly pattern: RegExp;
  readonly parse: (text: string) => number;
  readonly least: number;
  readonly most: number;
  /** Whether `"none"` is taken, as Infinity. */
  readonly none: boolean;
  /** Whether numbers have to be whole. */
  readonly whole?: boolean;
}

function quantity({ expected, pattern, parse, least, most, none, whole = false }: Quantity) {
  const within = (value: number): boolean => value >= least && value <= most;
  const words = none ? new RegExp(`${pattern.source}|^none$`) : pattern;
  return choice(expected, {
    string: v.pipe(
      v.string(),
      v.regex(words, expected),
      v.transform((text) => text === "none" ? Infinity : parse(text)),
      v.check((value) => value === Infinity || within(value), expected),
    ),
    number: whole
      ? integer(least, most, expected)
      : v.pipe(v.number(), v.minValue(least, expected), v.check(within, expected)),
  });
}

/** Milliseconds. `positive` refuses 0. */
export function duration(positive: boolean, none: boolean) {
  const expected = `a duration${positive ? " above 0" : ""}: "250ms", "30s", "5m", "1h" (at most ${
    Math.floor(DURATION_MAX / 3_600_000)
  }h) or a number of milliseconds${none ? '; "none" for no limit' : ""}`;
  const least = positive ? 1 : 0;
  return quantity({
    expected,
    pattern: DURATION,
    parse: parseDuration,
    least,
    most: DURATION_MAX,
    none,
  });
}

/** Bytes, at least 1; or from `least` on. */
export function size(none: boolean, least = 1) {
  const expected = `a size: "64KiB", "10MB" or a whole number of bytes, at least ${least}${
    none ? '; "none" for no limit' : ""
  }`;
  const most = Number.MAX_SAFE_INTEGER;
  return quantity({ expected, pattern: SIZE, parse: parseSize, least, most, none, whole: true });
}

/** A whole number above 0. It may be text, which is what an environment variable gives. */
export function count() {
  return quantity({
    expected: 'a whole number above 0; "none" for no limit',
    pattern: COUNT,
    parse: parseCount,
    least: 1,
    most: Number.MAX_SAFE_INTEGER,
    none: true,
    whole: true,
  });
}

/** `"50/s"`, or its parts. */
export function rate() {
  const expected =
    'a rate: "50/s", "600/m", "1000/h", "50/s burst 100" or { "count": 50, "per": "1s" }; "none" for no limit';
  return choice(expected, {
    string: v.pipe(
      v.string(),
      v.regex(new RegExp(`${RATE.source}|^none$`), expected),
      v.transform((text) => text === "none" ? { count: Infinity, per: 1000 } : parseRate(text)),
      v.check(({ count, burst = count }) => count > 0 && burst > 0, expected),
    ),
    object: strict(expected, {
      count: v.pipe(
        integer(1, Number.MAX_SAFE_INTEGER, "a whole number above 0"),
        v.description("how many"),
      ),
      per: v.pipe(duration(true, false), v.description("in what time")),
      burst: entry(
        "how many at once; as many as count when silent",
        () => integer(1, Number.MAX_SAFE_INTEGER, "a whole number above 0"),
      ),
    }),
  });
}

/** What may be said of both ways of a session at once, or of each. */
export function eachWay<const S extends v.GenericSchema>(expected: string, make: () => S) {
  const way = make();
  const object = strict(expected, {
    in: entry("what the peer sends", () => way),
    out: entry("what it is sent", () => way),
  });
  const both = v.pipe(way, v.transform((value) => ({ in: value, out: value })));
  return choice(expected, { string: both, number: both, object });
}

/** Bytes a second, `"1MiB"` or `"1MiB burst 4MiB"`. */
export function byteRate() {
  const expected =
    'bytes a second: "1MiB", "64KiB burst 1MiB", or a whole number of bytes, at least 1; "none" for no limit';
  const of = (count: number): ReturnType<typeof parseByteRate> => ({ count, per: 1000 });
  return choice(expected, {
    string: v.pipe(
      v.string(),
      v.regex(new RegExp(`${BYTE_RATE.source}|^none$`), expected),
      v.transform((text) => text === "none" ? of(Infinity) : parseByteRate(text)),
      v.check(({ count, burst = count }) => count >= 1 && burst >= 1, expected),
    ),
    number: v.pipe(integer(1, Number.MAX_SAFE_INTEGER, expected), v.transform(of)),
  });
}

/** `"1KiB/30s"`, or its parts. */
export function progress() {
  const expected =
    'bytes in a time: "1KiB/30s", "256B/2m" or { "bytes": 1024, "per": "30s" }, both above 0; "none" for no limit';
  return choice(expected, {
    string: v.pipe(
      v.string(),
      v.regex(new RegExp(`${PROGRESS.source}|^none$`), expected),
      v.transform((text) => text === "none" ? { bytes: 0, per: Infinity } : parseProgress(text)),
      v.check(
        ({ bytes, per }) => per === Infinity || (bytes >= 1 && per >= 1 && per <= DURATION_MAX),
        expected,
      ),
    ),
    object: strict(expected, {
      bytes: v.pipe(size(false), v.description("how many at least")),
      per: v.pipe(duration(true, false), v.description("in what time")),
    }),
  });
}

/** How many times as much, 1 at least. It may be text, which is what an environment variable gives. */
export function factor() {
  const expected = 'a number from 1 on; "none" for no limit';
  return choice(expected, {
    string: v.pipe(
      v.string(),
      v.regex(/^(?:[1-9]\d*(?:\.\d+)?|none)$/, expected),
      v.transform((text) => text === "none" ? Infinity : Number(text)),
    ),
    number: v.pipe(v.number(expected), v.minValue(1, expected)),
  });
}
