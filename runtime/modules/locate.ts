/** Where in a plugin's code something is that nothing has thrown there. */
import { readFileSync } from "node:fs";
import { PorticoError } from "../core/errors.ts";
import { textOf } from "../core/frames.ts";
import { fileOf } from "./graph.ts";

/**
 * The place of a key, a hook or `export default` in the text of a module, as it is written most often;
 * undefined when it is not found: it may come from another module.
 */
export function locate(url: string, word: string): string | undefined {
  if (!url.startsWith("file:")) return undefined;
  const path = fileOf(url);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  const safe = word.replace(/[^\w$ ]/g, "\\$&");
  const found = word.includes(" ")
    ? new RegExp(`^\\s*(?=${safe}\\b)`, "m").exec(text)
    : new RegExp(`(?:^|[\\s{,.])(?:async\\s+|\\*\\s*)*(?=["']?${safe}["']?\\s*[:(,=}])`).exec(text);
  if (found === null) return undefined;
  const lines = text.slice(0, found.index + found[0].length).split("\n");
  return textOf({ path, line: String(lines.length), column: String(lines.at(-1)!.length + 1) });
}

/** The same error with its place: what it says of a plugin's own words it has in backticks. */
export function withPlace(error: PorticoError, url: string): PorticoError {
  const { code, message, side, cause, hint, at } = error;
  if (at !== undefined || code !== "PLUGIN_INVALID") return error;
  const place = locate(url, /`([^`]+)`/.exec(message)?.[1] ?? "start") ?? locate(url, "start");
  return place === undefined
    ? error
    : new PorticoError(code, message, { side, cause, hint, at: place });
}
