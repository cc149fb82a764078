import process from "node:process";
import { statSync } from "node:fs";
import { parseArgs } from "node:util";
import type { RuntimeName } from "../adapter.ts";
import { OF_SERVICE, RUNTIMES, type Verb, VERBS } from "../control/request.ts";
import { PorticoError } from "../core/errors.ts";
import { didYouMean } from "../values/nearest.ts";
import { renderRows, show } from "../values/problem.ts";

/** The commands that this version has. */
export const COMMANDS = ["run", "check", "doctor", "ctl"] as const;
/** Commands that are part of the contract, and that this version does not have. */
export const LATER: readonly string[] = ["explain", "new"];

/** A command of {@link COMMANDS}. */
export type Command = typeof COMMANDS[number];

/** What was asked for. */
export type Call = PlainCall | CheckCall | RunCall | CtlCall;

/** What needs a manifest at most. */
export interface PlainCall {
  readonly command: "doctor" | "help" | "version";
  /** A manifest, or a folder with one. */
  readonly path: string;
  readonly json: boolean;
}

/** `portico check`. */
export interface CheckCall extends Omit<PlainCall, "command"> {
  readonly command: "check";
  /** Tells which permissions the manifest needs, instead. */
  readonly permissions: boolean;
}

/** `portico run`. */
export interface RunCall extends Omit<PlainCall, "command"> {
  readonly command: "run";
  /** Reloads when a file changes. */
  readonly watch: boolean;
  /** Keeps a status line on the terminal. */
  readonly stats: boolean;
}

/** `portico ctl`. */
export interface CtlCall {
  readonly command: "ctl";
  readonly verb: Verb;
  readonly service: string | undefined;
  /** The manifest of the server that is meant, or the folder with it. */
  readonly manifest: string;
  /** The path of its control socket, where that is known. */
  readonly socket: string | undefined;
  readonly to: RuntimeName | undefined;
  readonly json: boolean;
}

const OPTIONS = {
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
  json: { type: "boolean" },
  watch: { type: "boolean" },
  stats: { type: "boolean" },
  permissions: { type: "boolean" },
  manifest: { type: "string" },
  socket: { type: "string" },
  to: { type: "string" },
} as const;

const EVERYWHERE: readonly string[] = ["help", "version", "json"];
const OWN: Readonly<Record<Command, readonly string[]>> = {
  run: ["watch", "stats"],
  check: ["permissions"],
  doctor: [],
  ctl: ["manifest", "socket", "to"],
};

/** @throws PorticoError USAGE: an option or a command that there is not, or words too many. */
export function parseCall(argv: readonly string[]): Call {
  const { values, positionals, tokens } = parseArgs({
    args: [...argv],
    options: OPTIONS,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const [first = "run", ...rest] = positionals;
  const named = (COMMANDS as readonly string[]).includes(first);
  const command = named ? first as Command : "run";
  checkOptions(tokens, command);
  const json = values["json"] === true;
  const [path = defaultPath(), ...more] = named ? rest : positionals;
  if (values["help"] === true) return { command: "help", path, json };
  if (values["version"] === true) return { command: "version", path, json };
  if (command === "ctl") return parseCtl(rest, values, json);
  if (!named) checkPath(first, positionals.length > 0);
  if (command === "doctor" && rest.length > 0) {
    throw usage(show(rest.join(" ")), "nothing after doctor");
  }
  if (more.length > 0) {
    throw usage(show(more.join(" ")), `one PATH, and nothing after ${show(path)}`);
  }
  if (command === "check") {
    return { command, path, json, permissions: values["permissions"] === true };
  }
  return command === "run"
    ? { command, path, json, watch: values["watch"] === true, stats: values["stats"] === true }
    : { command, path, json };
}

type Tokens = NonNullable<ReturnType<typeof parseArgs>["tokens"]>;

function checkOptions(tokens: Tokens, command: Command): void {
  const known = [...EVERYWHERE, ...OWN[command]];
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const { name, rawName, value } = token;
    if (!known.includes(name)) {
      const options = known.map((name) => `--${name}`);
      const [owner] = Object.entries(OWN).find(([, names]) => names.includes(name)) ?? [];
      throw usage(
        rawName,
        `an option${owner === undefined ? "" : ` of ${command}`}: ${options.join(", ")}`,
        owner === undefined ? didYouMean(rawName, options) : `${rawName} is an option of ${owner}`,
      );
    }
    const takes = OPTIONS[name as keyof typeof OPTIONS].type === "string";
    if (!takes && value !== undefined) {
      throw usage(`${rawName}=${value}`, `${rawName}, which takes no value`);
    }
    if (takes && !value) throw usage(rawName, `${rawName} ${name === "to" ? "RUNTIME" : "PATH"}`);
  }
}

/** The words after `ctl`. Whether there is such a service, only the server can say. */
function parseCtl(
  [verb, service, ...more]: readonly string[],
  values: Readonly<Record<string, unknown>>,
  json: boolean,
): CtlCall {
  const { manifest, socket, to } = values as Partial<Record<string, string>>;
  if (!isOne(verb, VERBS)) {
    throw usage(
      verb === undefined ? "nothing after ctl" : show(verb),
      `one of ${VERBS.join(", ")}`,
      verb === undefined ? undefined : didYouMean(verb, VERBS),
    );
  }
  if (service !== undefined && !OF_SERVICE.includes(verb)) {
    throw usage(show(service), `nothing after ${verb}, which concerns the whole server`);
  }
  if (more.length > 0) {
    throw usage(show(more.join(" ")), `one SERVICE, and nothing after ${show(service)}`);
  }
  if (to !== undefined && verb !== "upgrade") throw usage("--to", `--to with upgrade, not ${verb}`);
  if (to !== undefined && !isOne(to, RUNTIMES)) {
    throw usage(`--to ${show(to)}`, `one of ${RUNTIMES.join(", ")}`, didYouMean(to, RUNTIMES));
  }
  if (manifest !== undefined && socket !== undefined) {
    throw usage("--manifest and --socket", "one of them: both say which server is meant");
  }
  return {
    command: "ctl",
    verb,
    service,
    manifest: manifest ?? defaultPath(),
    socket,
    to,
    json,
  };
}

function isOne<Name extends string>(value: unknown, names: readonly Name[]): value is Name {
  return (names as readonly unknown[]).includes(value);
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
