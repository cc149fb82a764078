import process from "node:process";
import { ServerRefusal } from "../control/refusal.ts";
import { type Code, CODES, isWithheld, PorticoError, toPorticoError } from "../core/errors.ts";
import { headline, ManifestError, renderProblems } from "../values/problem.ts";
import { printError } from "./output.ts";

/** Errors after which the manifest or the call has to be changed: exit code 2. All others are 1. */
const WRONG: ReadonlySet<Code> = new Set([
  "USAGE",
  "MANIFEST_NOT_FOUND",
  "MANIFEST_SYNTAX",
  "MANIFEST_INVALID",
  "PLUGIN_NOT_FOUND",
  "PLUGIN_INVALID",
  "PLUGIN_OPTIONS",
  "CONFIG_UNREADABLE",
  "NOT_SUPPORTED",
  "ENAMETOOLONG",
]);

/** Tells an error on standard error, as one block or one line of JSON; returns the exit code. */
export async function fail(error: unknown, json: boolean): Promise<number> {
  if (isWithheld(error)) return await fail(toPorticoError(error, "EACCES"), json);
  if (!(error instanceof PorticoError)) {
    // Not the user's: here a stack is what helps.
    const stack = error instanceof Error ? error.stack ?? error.message : String(error);
    await printError(`error: a bug in Portico\n\n${stack}\n`);
    return 1;
  }
  await printError(json ? `${toJson(error)}\n` : `${renderError(error, process.cwd())}\n`);
  // What a server says of its manifest is no fault of the call.
  if (error instanceof ServerRefusal) return 1;
  return error instanceof ManifestError || WRONG.has(error.code) ? 2 : 1;
}

/** The block for people: a headline, and what is known of it. */
export function renderError(error: PorticoError, folder: string): string {
  if (error instanceof ManifestError) {
    return `error: ${headline(error.problems)}\n\n${renderProblems(error.problems, folder)}`;
  }
  const title = error instanceof ServerRefusal ? "the server refuses" : CODES[error.code][1];
  return error.message === title ? `error: ${title}` : `error: ${title}\n\n${error.message}`;
}

function toJson(error: PorticoError): string {
  const { code, message } = error;
  const known = error instanceof ManifestError ? { problems: error.problems } : { message };
  return JSON.stringify({ error: { code, title: CODES[code][1], ...known } });
}
