import process from "node:process";
import { ServerRefusal } from "../control/refusal.ts";
import { type Code, CODES, isWithheld, PorticoError, toPorticoError } from "../core/errors.ts";
import { parsePlace } from "../core/frames.ts";
import { codeFrame } from "../values/code-frame.ts";
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
  "TLS_INVALID",
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
  await printError(
    json ? `${toJson(error)}\n` : `${renderError(error, process.cwd(), process.stderr.isTTY)}\n`,
  );
  // What a server says of its manifest is no fault of the call.
  if (error instanceof ServerRefusal) return 1;
  return error instanceof ManifestError || WRONG.has(error.code) ? 2 : 1;
}

/**
 * The block for people: a headline, and what is known of it.
 *
 * @param frames with a few lines of the code that is at fault.
 */
export function renderError(error: PorticoError, folder: string, frames = false): string {
  if (error instanceof ManifestError) {
    const view = { folder, frames };
    return `error: ${headline(error.problems)}\n\n${renderProblems(error.problems, view)}`;
  }
  const title = error instanceof ServerRefusal ? "the server refuses" : CODES[error.code][1];
  const { message, hint, at } = error;
  let text = `error: ${title}`;
  if (message !== title) text += `\n\n${message}`;
  if (hint !== undefined) text += `\n${hint}`;
  if (at !== undefined && !message.includes(at)) text += `\nat ${at}`;
  const frame = at === undefined || !frames ? undefined : codeFrame(parsePlace(at));
  return frame === undefined ? text : `${text}\n\n${frame.replace(/^/gm, "  ")}`;
}

function toJson(error: PorticoError): string {
  const { code, message, hint, at } = error;
  const source = at === undefined ? undefined : parsePlace(at);
  const known = error instanceof ManifestError
    ? { problems: error.problems }
    : { message, hint, source };
  return JSON.stringify({ error: { code, title: CODES[code][1], ...known } });
}
