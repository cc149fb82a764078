/** The man page, in mdoc(7), from the table of commands. */
import {
  COMMANDS,
  type CommandSpec,
  EVERYWHERE,
  type Option,
} from "../runtime/terminal/commands.ts";

const SPECS: readonly CommandSpec[] = COMMANDS;

/** The longest line, in characters. */
const WIDTH = 78;

/**
 * `portico.1`.
 *
 * @param version of the package.
 * @param date of the page.
 */
export function manPage(version: string, date: Date): string {
  const day = new Intl.DateTimeFormat("en-US", { dateStyle: "long", timeZone: "UTC" }).format(date);
  return [
    `.Dd ${day}`,
    ".Dt PORTICO 1",
    ".Os",
    ".Sh NAME",
    ".Nm portico",
    ".Nd serves what a manifest declares: protocol handlers, and where they listen",
    ".Sh SYNOPSIS",
    ...SPECS.flatMap(synopsis),
    ".Sh DESCRIPTION",
    text("Runs a manifest, on Node, Deno or Bun, and talks to the servers that run."),
    text(`This is the page of version ${version}. The commands are:`),
    ".Bl -tag -width Ds",
    ...SPECS.flatMap((spec) => item(spec)),
    ".El",
    ".Pp",
    "Of every command:",
    ...optionList(EVERYWHERE),
    ".Sh ENVIRONMENT",
    ".Bl -tag -width Ds",
    ".It Ev PORTICO_MANIFEST",
    text(
      "The manifest that is meant where PATH is left out, instead of that of the current folder.",
    ),
    ".It Ev XDG_RUNTIME_DIR",
    text("Where control sockets are, in a folder portico, if it is this user's."),
    ".It Ev NO_COLOR",
    text("Set to anything: no colours."),
    ".El",
    ".Sh FILES",
    ".Bl -tag -width Ds",
    ".It Pa portico.json , portico.jsonc , portico.ts",
    text("What a manifest is called in a folder."),
    ".It Pa /run/portico",
    text("Control sockets of root's servers, and links to those that are elsewhere."),
    ".It Pa /tmp/portico-UID",
    text("Likewise, of any other user's."),
    ".El",
    ".Sh EXIT STATUS",
    ".Bl -tag -width Ds",
    ".It 0",
    text("It was done; a server has stopped in order."),
    ".It 1",
    text("It could not be done; of ctl health, something is not well."),
    ".It 2",
    text("The manifest or the call is wrong."),
    ".El",
    "",
  ].join("\n");
}

function synopsis(spec: CommandSpec): string[] {
  const { name, words, verbs } = spec;
  const command = spec === SPECS[0] ? `.Op Cm ${name}` : `.Cm ${name}`;
  return [".Nm", command, ...(verbs === undefined ? [] : [".Ar VERB"]), ...words.map(wordLine)];
}

function wordLine(word: CommandSpec["words"][number]): string {
  return `.${wordOf(word)}`;
}

function wordOf({ name, one, optional }: CommandSpec["words"][number]): string {
  const shown = one === undefined ? `Ar ${name}` : `Cm ${one.join(" | ")}`;
  return optional === true ? `Op ${shown}` : shown;
}

function item({ name, words, summary, options, verbs = [], more = [] }: CommandSpec): string[] {
  return [
    `.It Cm ${[name, ...(verbs.length > 0 ? ["Ar VERB"] : []), ...words.map(wordOf)].join(" ")}`,
    text(`${summary[0]!.toUpperCase()}${summary.slice(1)}.`),
    ...more.flatMap((paragraph) => [".Pp", text(paragraph)]),
    ...optionList(options),
    ...(verbs.length === 0 ? [] : [".Bl -tag -width Ds", ...verbs.flatMap(item), ".El"]),
  ];
}

function optionList(options: readonly Option[]): string[] {
  if (options.length === 0) return [];
  const items = options.flatMap(({ name, short, value, one, summary }) => {
    const taken = value === undefined
      ? ""
      : one === undefined
      ? ` Ar ${value}`
      : ` Cm ${one.join(" | ")}`;
    return [
      `.It ${short === undefined ? "" : `Fl ${short} , `}Fl -${name}${taken}`,
      text(`${summary}.`),
    ];
  });
  return [".Bl -tag -width Ds", ...items, ".El"];
}

/** A paragraph: each sentence begins a line; nothing in it is a request. */
function text(paragraph: string): string {
  const plain = paragraph.replaceAll("\\", "\\e").replaceAll(/[^\x20-\x7e]/gu, (letter) => {
    return `\\[u${letter.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}]`;
  });
  const lines = plain.split(/(?<=[.:;!?]) /).flatMap((sentence) =>
    sentence.replaceAll(new RegExp(`(?=.{${WIDTH + 1}})(.{1,${WIDTH}}) `, "g"), "$1\n").split("\n")
  );
  return lines.map((line) => line.replace(/^(?=[.'])/, "\\&")).join("\n");
}
