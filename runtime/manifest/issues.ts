import type { BaseIssue } from "valibot";
import { didYouMean } from "../values/nearest.ts";
import { dig, type Path, show } from "../values/problem.ts";
import type { Problems } from "./source.ts";

type Issue = BaseIssue<unknown>;

/**
 * Turns what Valibot found into problems. Its messages are the `expected` lines; of an unknown key,
 * the keys that there are (see {@link strict}).
 *
 * @param base where the value stands that was checked.
 */
export function addIssues(problems: Problems, issues: readonly Issue[], base: Path = []): void {
  for (const issue of issues) {
    const path = [...base, ...placeOf(issue)];
    const last = issue.path?.at(-1);
    if (issue.type === "strict_object" && issue.expected === "never") {
      addUnknownKeys(problems, path.slice(0, -1), last?.input, issue.message.split(", "));
    } else if (last?.origin === "key" && issue.input === undefined) {
      problems.add(path.slice(0, -1), `no ${show(last.key)}`, issue.message);
    } else if (last?.origin === "key") {
      problems.add(path, `the name ${show(issue.input)}`, issue.message, { part: "key" });
    } else {
      // The issue's own input may be what a transformation has made of it.
      problems.add(path, show(dig(problems.source.value, path)), issue.message, {
        hint: slip(issue),
      });
    }
  }
}

/** Where an issue is, below what was checked. */
export function placeOf({ path }: Issue): Path {
  return path?.map(({ key }) => key as string | number) ?? [];
}

/** Valibot tells of the first unknown key of an object; a user wants to hear of all. */
function addUnknownKeys(
  problems: Problems,
  path: Path,
  object: unknown,
  known: readonly string[],
): void {
  for (const key of Object.keys(object as object)) {
    if (known.includes(key)) continue;
    const list = known[0] === ""
      ? "none"
      : known.length === 1
      ? `only ${known[0]}`
      : `one of ${known.join(", ")}`;
    problems.add([...path, key], `the unknown key ${show(key)}`, list, {
      part: "key",
      hint: /[+-]=$/.test(key) ? LISTS : didYouMean(key, known),
    });
  }
}

const LISTS =
  "+= and -= are for a service, and for lists that defaults may hold: log, access.allow and access.deny";

/** For a word out of a list, the one that was probably meant. */
function slip(issue: Issue): string | undefined {
  if (typeof issue.input !== "string" || !issue.expected?.includes('"')) return undefined;
  const words = [...issue.expected.matchAll(/"([^"]+)"/g)].map((found) => found[1]!);
  return didYouMean(issue.input, words);
}
