import {
  COMMANDS,
  type CommandSpec,
  EVERYWHERE,
  type Option,
  type Word,
} from "../../runtime/terminal/commands.ts";
import { code, table } from "./table.ts";

const wordText = ({ name, optional }: Word): string => optional ? `[${name}]` : name;
const optionText = ({ name, short, value }: Option): string =>
  `${short === undefined ? "" : `-${short}, `}--${name}${value === undefined ? "" : ` ${value}`}`;

function section(level: string, name: string, spec: CommandSpec): string[] {
  const { summary, words, options, verbs = [], more = [] } = spec;
  const call = ["portico", name, ...words.map(wordText), ...(verbs.length > 0 ? ["VERB"] : [])]
    .join(" ");
  return [
    `${level} portico ${name}`,
    `${code(call)}: ${summary}.`,
    ...more,
    ...(options.length === 0 ? [] : [
      table(
        ["option", "does"],
        options.map((option) => [
          code(optionText(option)),
          option.summary + (option.one === undefined ? "" : ` (${option.one.join(", ")})`),
        ]),
      ),
    ]),
    ...verbs.flatMap((verb) => section(`${level}#`, `${name} ${verb.name}`, verb)),
  ];
}

export function commandsPage(): string {
  const all: readonly CommandSpec[] = COMMANDS;
  return [
    "# Commands",
    "`portico help COMMAND` and `portico COMMAND --help` say the same. Without a command it is `run`." +
    " PATH is a manifest, or the folder of one; when silent `PORTICO_MANIFEST`, else the current folder.",
    table(
      ["everywhere", "does"],
      EVERYWHERE.map((option) => [code(optionText(option)), option.summary]),
    ),
    "Exit codes: 0 a clean stop, 1 it could not be done, 2 the manifest or the call is wrong.",
    ...all.flatMap((spec) => section("##", spec.name, spec)),
  ].join("\n\n");
}
