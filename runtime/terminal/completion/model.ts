/** What can stand where in a call of `portico`, for the scripts that complete it. */
import { COMMANDS, type CommandSpec, EVERYWHERE, type Option, optionsFor } from "../commands.ts";

/** What a word, or the value of an option, can be. */
export type Value =
  | { readonly kind: "one"; readonly one: readonly string[] }
  | { readonly kind: "path" | "service" | "command" | "any" };

/** A command, or one of its verbs. */
export interface Context {
  /** `ctl status`. */
  readonly name: string;
  readonly summary: string;
  /** Without verbs: what each of its words can be. */
  readonly words: readonly Value[];
  readonly options: readonly Option[];
  /** The verbs, before one of them is said. */
  readonly verbs: readonly CommandSpec[];
}

/** The first one is meant when none is named. */
export const SPECS: readonly CommandSpec[] = COMMANDS;

/** Commands, each followed by its verbs. */
export const CONTEXTS: readonly Context[] = SPECS.flatMap((command) => [
  contextOf(command.name, command, [...optionsFor(command), ...EVERYWHERE]),
  ...(command.verbs ?? []).map((verb) =>
    contextOf(`${command.name} ${verb.name}`, verb, [...optionsFor(command, verb), ...EVERYWHERE])
  ),
]);

/** Options that take a value, of any command. */
export const VALUED: readonly string[] = [
  ...new Set(
    CONTEXTS.flatMap(({ options }) => options).filter(({ value }) => value !== undefined)
      .map(({ name }) => `--${name}`),
  ),
];

function contextOf(
  name: string,
  { summary, words, verbs = [] }: CommandSpec,
  options: readonly Option[],
): Context {
  return { name, summary, words: words.map(({ name, one }) => valueOf(name, one)), options, verbs };
}

/** @param name in capitals, of a word or of what an option takes. */
export function valueOf(name: string, one?: readonly string[]): Value {
  if (one !== undefined) return { kind: "one", one };
  const kinds = { PATH: "path", FILE: "path", SERVICE: "service", TOPIC: "command" } as const;
  return { kind: Object.hasOwn(kinds, name) ? kinds[name as keyof typeof kinds] : "any" };
}

/** Text between single quotes, for any of the shells. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "’")}'`;
}
