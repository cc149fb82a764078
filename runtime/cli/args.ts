import process from "node:process";
import { statSync } from "node:fs";
import { parseArgs } from "node:util";
import { PorticoError } from "../core/errors.ts";
import { didYouMean } from "../manifest/nearest.ts";
import { renderRows, show } from "../manifest/problem.ts";

/** The commands that this version has. */
export const COMMANDS = ["run", "check", "doctor"] as const;
/** Commands that are part of the contract, and that this version does not have. */
export const LATER: readonly string[] = ["explain", "new", "ctl"];

/** A command of {@link COMMANDS}. */
export type Command = typeof COMMANDS[number];

/** What was asked for. */
export interface Call {
  readonly command: Command | "help" | "version";
  /** A manifest, or a folder with one. */
  readonly path: string;
  readonly json: boolean;
}

const OPTIONS = {
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
  json: { type: "boolean" },
} as const;

/** @throws PorticoError USAGE: an option or a command that there is not, or words too many. */
export function parseCall(argv: readonly string[]): Call {
  const { values, positionals, tokens } = parseArgs({
    args: [...argv],
    options: OPTIONS,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const options = Object.keys(OPTIONS).map((name) => `--${name}`);
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    if (!Object.hasOwn(OPTIONS, token.name)) {
      throw usage(
        token.rawName,
        `an option: ${options.join(", ")}`,
        didYouMean(token.rawName, options),
      );
    }
    if (token.value !== undefined) {
      throw usage(`${token.rawName}=${token.value}`, `${token.rawName}, which takes no value`);
    }
  }
  const json = values["json"] === true;
  const [first = "run", ...rest] = positionals;
  const named = (COMMANDS as readonly string[]).includes(first);
  const command = named ? first as Command : "run";
  const [path = defaultPath(), ...more] = named ? rest : positionals;
  if (values["help"] === true) return { command: "help", path, json };
  if (values["version"] === true) return { command: "version", path, json };
  if (!named) checkPath(first, positionals.length > 0);
  if (command === "doctor" && rest.length > 0) {
    throw usage(show(rest.join(" ")), "nothing after doctor");
  }
  if (more.length > 0) {
    throw usage(show(more.join(" ")), `one PATH, and nothing after ${show(path)}`);
  }
  return { command, path, json };
}

/** A first word that is no command is the path of a manifest, if there is such a thing. */
function checkPath(word: string, given: boolean): void {
  if (!given) return;
  if (LATER.includes(word)) {
    throw usage(
      show(word),
      `a command: ${COMMANDS.join(", ")}`,
      `${word} arrives in a later version`,
    );
  }
  if (/[./\\]/.test(word) || statSync(word, { throwIfNoEntry: false }) !== undefined) return;
  throw usage(
    show(word),
    `a command: ${COMMANDS.join(", ")}; or the path of a manifest`,
    didYouMean(word, [...COMMANDS, ...LATER]),
  );
}

function usage(received: string, expected: string, hint?: string): PorticoError {
  return new PorticoError("USAGE", renderRows({ received, expected, ...(hint && { hint }) }));
}

/** Where the manifest is when nobody says: the environment's PORTICO_MANIFEST, or here. */
function defaultPath(): string {
  return process.env["PORTICO_MANIFEST"] || ".";
}
