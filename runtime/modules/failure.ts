/** Why a module could not be imported: what the runtimes say, each in its own way, in one. */
import { stripVTControlCharacters } from "node:util";
import { fileURLToPath } from "node:url";
import { messageOf } from "../core/errors.ts";
import { placeOf, placesIn, textOf } from "../core/frames.ts";
import { diagnose } from "./diagnosis.ts";

/** Why a module could not be imported, in words that hold on every runtime. */
export interface ImportFailure {
  /** One line. */
  readonly message: string;
  /** Where, as far as the runtime says it: `/path/file.ts:3:5`. */
  readonly at?: string | undefined;
  /** What was probably meant, or what to write instead. */
  readonly hint?: string | undefined;
  readonly cause: unknown;
}

/** @param url of the module that was to be imported; what is wrong may be in one that it imports. */
export function explain(cause: unknown, url: string): ImportFailure {
  const inner = (cause as { errors?: unknown[] } | null)?.errors;
  // Bun has several errors, of which the first counts.
  const error = Array.isArray(inner) && inner.length > 0 ? inner[0] : cause;
  const text = stripVTControlCharacters(messageOf(error));
  const message = text.split("\n")[0]!.replace(/^\w*Error: /, "").replace(LOCATION, "");
  const at = placeIn(error, text);
  return { message, at, ...diagnose(error, message, at, url), cause };
}

/** Behind a message of Deno's. */
const LOCATION = / at (?:file:\/\/\S+|\/.+?)(?:\?\S*?)?:\d+:\d+$/;

/**
 * Bun has a `position`; Node puts `file:LINE` and the code on top of the stack of a syntax error; Deno says
 * `at file:LINE:COLUMN` in the message, or behind it.
 */
function placeIn(error: unknown, message: string): string | undefined {
  const { position, stack } = Object(error) as { position?: unknown; stack?: unknown };
  const { file, line, column } = Object(position) as Partial<Record<string, string | number>>;
  if (typeof file === "string" && file !== "") {
    return textOf({ path: file, line: String(line), column: String(column) });
  }
  const lines = stripVTControlCharacters(String(stack ?? "")).split("\n");
  // The first one is in the module itself, the next in who imports it.
  const told = message.split(/\n| (?=at (?:file:|\/))/).slice(1).map((line) =>
    `    ${line.trim()}`
  );
  const [place] = placesIn(told);
  if (place !== undefined) return textOf(place);
  return onTop(lines) ?? placeOf(error) ?? placesIn(lines).map(textOf)[0];
}

function onTop([first = "", ...rest]: readonly string[]): string | undefined {
  const [, place, line] = /^(file:\/\/.+?|\/.+?|[A-Za-z]:\\.+?)(?:\?.*)?:(\d+)$/.exec(first) ?? [];
  if (place === undefined) return undefined;
  const path = place.startsWith("file:") ? fileURLToPath(place) : place;
  const mark = rest.slice(0, 6).find((text) => /^\s*\^+\s*$/.test(text));
  return textOf({ path, line: line!, ...(mark && { column: String(mark.indexOf("^") + 1) }) });
}
