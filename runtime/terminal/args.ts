/** Reads a call of `portico` by the table of its commands. */
import process from "node:process";
import { statSync } from "node:fs";
import { parseArgs } from "node:util";
import { PorticoError } from "../core/errors.ts";
import { embeddedFile } from "../modules/embedded.ts";
import { didYouMean } from "../values/nearest.ts";
import { renderRows, show } from "../values/problem.ts";
import {
  type CallOf,
  COMMANDS,
  type CommandSpec,
  EVERYWHERE,
  type Option,
  optionsFor,
  type Word,
} from "./commands.ts";

/** The name of a command. */
export type Command = typeof COMMANDS[number]["name"];

/** What was asked for. */
export type Call =
  | { readonly [Name in Command]: CallOf<Name> }[Command]
  | { readonly command: "version"; readonly json: boolean };

const SPECS: readonly CommandSpec[] = COMMANDS;
const NAMES: readonly string[] = SPECS.map(({ name }) => name);
/** Every option that there is, with whose it is. The same name is of the same form everywhere. */
const ALL = optionsOf("", { name: "", summary: "", words: [], options: EVERYWHERE, verbs: SPECS });

interface Owned {
  readonly owner: string;
  readonly option: Option;
}

function optionsOf(owner: string, { options, verbs = [] }: CommandSpec): readonly Owned[] {
  return [
    ...options.map((option) => ({ owner, option })),
    ...verbs.flatMap((verb) => optionsOf(`${owner} ${verb.name}`.trim(), verb)),
  ];
}

type Values = ReturnType<typeof parseArgs>["values"];
type Tokens = NonNullable<ReturnType<typeof parseArgs>["tokens"]>;

/** @throws PorticoError USAGE: an option or a command that there is not, or words too many. */
export function parseCall(argv: readonly string[]): Call {
  const { values, positionals, tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(
      ALL.map(({ option: { name, short, value, many } }) => [name, {
        type: value === undefined ? "boolean" : "string",
        ...(short !== undefined && { short }),
        ...(many === true && { multiple: true }),
      }]),
    ),
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const first = positionals[0];
  const command = SPECS.find(({ name }) => name === first) ?? SPECS[0]!;
  const named = command.name === first;
  const words = named ? positionals.slice(1) : positionals;
  const verb = command.verbs?.find(({ name }) => name === words[0]);
  checkOptions(tokens, command, verb);
  const json = values["json"] === true;
  if (values["help"] === true) {
    return { command: "help", topic: named ? first : undefined, verb: verb?.name, json };
  }
  if (values["version"] === true) return { command: "version", json };
  if (!named && first !== undefined) checkPath(first);
  if (command.verbs !== undefined && verb === undefined) throw noVerb(command, words[0]);
  const path = verb === undefined ? command.name : `${command.name} ${verb.name}`;
  checkEither(command, values);
  checkWith(command, values, words);
  return {
    command: command.name,
    ...(verb !== undefined && { verb: verb.name }),
    ...readWords((verb ?? command).words, verb === undefined ? words : words.slice(1), path),
    ...readOptions([...command.options, ...verb?.options ?? []], values),
    json,
  } as Call;
}

/** Refuses what is no option of this command, what lacks its value, and what takes none. */
function checkOptions(tokens: Tokens, spec: CommandSpec, verb: CommandSpec | undefined): void {
  const command = spec.name;
  const known: readonly Option[] = [...EVERYWHERE, ...optionsFor(spec, verb)];
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const { name, rawName, value } = token;
    const option = known.find((one) => one.name === name);
    if (option === undefined) {
      const all = known.map((one) => `--${one.name}`);
      const owner = ALL.find((one) => one.option.name === name)?.owner;
      const whose = verb === undefined ? command : `${command} ${verb.name}`;
      throw usage(
        rawName,
        `an option${owner === undefined ? "" : ` of ${whose}`}: ${all.join(", ")}`,
        owner === undefined ? didYouMean(rawName, all) : `${rawName} is an option of ${owner}`,
      );
    }
    if (option.value === undefined && value !== undefined) {
      throw usage(`${rawName}=${value}`, `${rawName}, which takes no value`);
    }
    if (option.value !== undefined && !value) throw usage(rawName, `${rawName} ${option.value}`);
    if (value && option.one !== undefined) checkOne(`${rawName} ${show(value)}`, value, option.one);
  }
}

function checkOne(received: string, value: string, one: readonly string[]): void {
  if (one.includes(value)) return;
  throw usage(received, `one of ${one.join(", ")}`, didYouMean(value, one));
}

function checkEither({ either }: CommandSpec, values: Values): void {
  if (either === undefined) return;
  const [one, other, why] = either;
  if (values[one] === undefined || values[other] === undefined) return;
  throw usage(`--${one} and --${other}`, `one of them: ${why}`);
}

function checkWith(
  { options, instead }: CommandSpec,
  values: Values,
  [word]: readonly string[],
): void {
  for (const { name, value, with: other } of options) {
    if (other === undefined || values[name] === undefined || values[other] !== undefined) continue;
    const owner = options.find((option) => option.name === other);
    throw usage(`--${name} ${value} without --${other}`, `--${other} ${owner?.value} beside it`);
  }
  if (instead === undefined || values[instead] === undefined || word === undefined) return;
  throw usage(`--${instead} and ${show(word)}`, "one of them: both say what is run");
}

function noVerb({ name, verbs = [] }: CommandSpec, word: string | undefined): PorticoError {
  const names = verbs.map((verb) => verb.name);
  return usage(
    word === undefined ? `nothing after ${name}` : show(word),
    `one of ${names.join(", ")}`,
    word === undefined ? undefined : didYouMean(word, names),
  );
}

function readWords(
  words: readonly Word[],
  given: readonly string[],
  command: string,
): Record<string, string | undefined> {
  const more = given.slice(words.length);
  if (more.length > 0) {
    const names = words.map(({ name }) => name).join(" and one ");
    const expected = words.length === 0
      ? `nothing after ${command}`
      : `one ${names}, and nothing after ${show(given[words.length - 1])}`;
    throw usage(show(more.join(" ")), expected);
  }
  return Object.fromEntries(words.map(({ name, optional, manifest, one, hint }, index) => {
    const value = given[index] ?? (manifest === true ? defaultPath() : undefined);
    if (value === undefined && optional !== true) {
      const expected = one === undefined ? name : `${name}, one of ${one.join(", ")}`;
      throw usage(`nothing after ${[command, ...given].join(" ")}`, expected, hint);
    }
    if (value !== undefined && one !== undefined) checkOne(show(value), value, one);
    return [name.toLowerCase(), value];
  }));
}

function readOptions(options: readonly Option[], values: Values): Record<string, unknown> {
  return Object.fromEntries(options.map(({ name, value, many, manifest }) => {
    const given = values[name];
    if (value === undefined) return [name, given === true];
    if (many === true) return [name, given ?? []];
    return [name, given ?? (manifest === true ? defaultPath() : undefined)];
  }));
}

/** A first word that is no command is the path of a manifest, if there is such a thing. */
function checkPath(word: string): void {
  const commands = `a command: ${NAMES.join(", ")}`;
  if (/[./\\]/.test(word) || statSync(word, { throwIfNoEntry: false }) !== undefined) return;
  const hint = didYouMean(word, NAMES);
  throw usage(show(word), `${commands}; or the path of a manifest`, hint);
}

function usage(received: string, expected: string, hint?: string): PorticoError {
  return new PorticoError("USAGE", renderRows({ received, expected, ...(hint && { hint }) }));
}

/** Where the manifest is when nobody says: in an executable inside, else PORTICO_MANIFEST of the environment, or here. */
function defaultPath(): string {
  return embeddedFile() ?? (process.env["PORTICO_MANIFEST"] || ".");
}
