/** `portico help`, of all commands or of one, made from the table of commands. */
import {
  type CallOf,
  COMMANDS,
  type CommandSpec,
  EVERYWHERE,
  type Option,
  optionsFor,
} from "../terminal/commands.ts";
import { columns, print, printJson } from "../terminal/output.ts";
import { PorticoError } from "../core/errors.ts";
import { didYouMean } from "../values/nearest.ts";
import { renderRows, show } from "../values/problem.ts";

const SPECS: readonly CommandSpec[] = COMMANDS;

const END =
  `PATH is a manifest, or a folder with portico.json, portico.jsonc or portico.ts; without it,
PORTICO_MANIFEST of the environment, or the current folder.

Exit codes: 0 clean stop, 1 it could not be done, 2 the manifest or the call is wrong.
`;

/**
 * Tells how `portico`, or one command of it, is called.
 *
 * @returns 0.
 * @throws PorticoError USAGE for a command that there is not.
 */
export async function printHelp({ topic, verb, json }: CallOf<"help">): Promise<number> {
  const command = topic === undefined ? undefined : named(SPECS, topic);
  const asked = command === undefined || verb === undefined
    ? command
    : named(command.verbs ?? [], verb);
  if (json) await printJson(asked ?? SPECS);
  else await print(asked === undefined ? overview() : describe(command!, asked));
  return 0;
}

function named(specs: readonly CommandSpec[], name: string): CommandSpec {
  const found = specs.find((spec) => spec.name === name);
  if (found !== undefined) return found;
  const names = specs.map((spec) => spec.name);
  const expected = names.length === 0 ? "nothing more" : `one of ${names.join(", ")}`;
  const hint = didYouMean(name, names);
  throw new PorticoError(
    "USAGE",
    renderRows({ received: show(name), expected, ...(hint !== undefined && { hint }) }),
  );
}

function overview(): string {
  const rows = SPECS.map((spec) => [`portico ${usageOf(spec)}`, spec.summary]);
  return `Portico runs a manifest: protocol handlers, and where they listen.

${columns(rows, "  ")}
${optionRows(EVERYWHERE)}
${END}`;
}

/** A command, or one of its verbs. */
function describe(command: CommandSpec, asked: CommandSpec): string {
  const verb = asked !== command;
  const usage = verb ? `${command.name} ${usageOf(asked)}` : usageOf(asked);
  const options = verb ? optionsFor(command, asked) : asked.options;
  const verbs = (asked.verbs ?? []).map((one) => [usageOf(one), one.summary]);
  const parts = [
    `portico ${usage}: ${asked.summary}.\n`,
    ...(verbs.length > 0 ? [columns(verbs, "  ")] : []),
    optionRows([...options, ...EVERYWHERE]),
    ...(asked.verbs ?? []).filter((one) => one.options.length > 0)
      .map((one) => `Of ${one.name}:\n\n${optionRows(one.options)}`),
    ...(asked.more ?? []).map((text) => `${wrap(text)}\n`),
    END,
  ];
  return parts.join("\n");
}

/** A command with the words that it takes. */
export function usageOf({ name, words, verbs }: CommandSpec): string {
  const names = words.map((word) => {
    const shown = word.one?.join("|") ?? word.name;
    return word.optional === true ? `[${shown}]` : shown;
  });
  // The first command is meant when none is named.
  const shown = name === SPECS[0]!.name ? `[${name}]` : name;
  return [shown, ...(verbs === undefined ? [] : ["VERB"]), ...names].join(" ");
}

function optionRows(options: readonly Option[]): string {
  const rows = options.map(({ name, short, value, one, summary }) => {
    const long = `--${name}${value === undefined ? "" : ` ${one?.join("|") ?? value}`}`;
    return [short === undefined ? long : `-${short}, ${long}`, summary];
  });
  return columns(rows, "  ");
}

/** Lines of at most a hundred letters. */
function wrap(text: string): string {
  return text.replaceAll(/(?=.{101})(.{1,100}) /g, "$1\n");
}
