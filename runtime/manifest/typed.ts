/**
 * Variables where a number or a boolean is wanted. An environment has text only, and what is wanted only the
 * schema knows, the manifest's or a plugin's: so what it refuses as text, and reads as a number or a boolean,
 * it is shown once more as that. A token of digits, where text is wanted, stays text.
 */
import type { Path } from "../values/problem.ts";
import type { Source } from "./source.ts";

const NUMBER = /^-?\d+(?:\.\d+)?$/;

/** What a schema made of a value, which may have been converted. */
export interface Typed<Result> {
  readonly value: unknown;
  readonly result: Result;
}

/**
 * Checks a value.
 *
 * @param base where the value stands in the manifest.
 * @param wrong the places below the value that a result refuses.
 */
export function checkTyped<Result>(
  source: Pick<Source, "references">,
  base: Path,
  first: unknown,
  check: (value: unknown) => Result,
  wrong: (result: Result) => readonly Path[],
): Typed<Result> {
  let value = first;
  let result = check(value);
  const further = attempts(source, base, first, wrong(result));
  for (let step = further.next([]); step.done !== true; step = further.next(wrong(result))) {
    value = step.value;
    result = check(value);
  }
  return { value, result };
}

/** As {@link checkTyped}, by a schema that may take its time. */
export async function checkTypedLater<Result>(
  source: Pick<Source, "references">,
  base: Path,
  first: unknown,
  check: (value: unknown) => Promise<Result>,
  wrong: (result: Result) => readonly Path[],
): Promise<Typed<Result>> {
  let value = first;
  let result = await check(value);
  const further = attempts(source, base, first, wrong(result));
  for (let step = further.next([]); step.done !== true; step = further.next(wrong(result))) {
    value = step.value;
    result = await check(value);
  }
  return { value, result };
}

/**
 * The values to be checked after the first one, of which `before` was wrong; each is answered with what is wrong
 * with it. What is refused as another kind, too, stays text, as the manifest has it.
 */
function* attempts(
  { references = [] }: Pick<Source, "references">,
  base: Path,
  value: unknown,
  before: readonly Path[],
): Generator<unknown, void, readonly Path[]> {
  const whole = new Set(references.filter((each) => each.whole).map(({ path }) => keyOf(path)));
  const wanted = before.filter((path) =>
    whole.has(keyOf([...base, ...path])) && convert(at(value, path)) !== undefined
  );
  if (wanted.length === 0) return;
  const after = new Set((yield converted(value, wanted)).map(keyOf));
  const taken = wanted.filter((path) => !after.has(keyOf(path)));
  if (taken.length < wanted.length) yield converted(value, taken);
}

function keyOf(path: Path): string {
  return JSON.stringify(path.map(String));
}

function at(value: unknown, path: Path): unknown {
  return path.reduce((inner, key) => (Object(inner) as Record<string, unknown>)[key], value);
}

/** The number or boolean that a text is. */
function convert(text: unknown): number | boolean | undefined {
  if (typeof text !== "string") return undefined;
  if (text === "true" || text === "false") return text === "true";
  return NUMBER.test(text) ? Number(text) : undefined;
}

/** A copy, in which the texts at these places are what they say. */
function converted(value: unknown, paths: readonly Path[]): unknown {
  if (paths.some((path) => path.length === 0)) return convert(value);
  if (paths.length === 0) return value;
  const copy = (Array.isArray(value) ? [...value] : { ...value as object }) as Record<
    string,
    unknown
  >;
  for (const [key, below] of Map.groupBy(paths, ([key]) => String(key))) {
    copy[key] = converted(copy[key], below.map((path) => path.slice(1)));
  }
  return copy;
}
