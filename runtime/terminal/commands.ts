/**
 * Every command, as the parser, `help`, the completions and the man page read it. A command that is new
 * is a row here, and a file in `cli/`.
 */
import { RUNTIMES } from "../control/request.ts";
import { CTL_VERBS } from "./ctl-verbs.ts";
import type { CommandSpec, Option } from "./spec.ts";
import { STRATEGY_NAMES } from "../core/plan.ts";

export type { CommandSpec, Option, Word } from "./spec.ts";

/** Those that a call can be completed in. */
const SHELLS = ["bash", "zsh", "fish"] as const;
const PATH = { name: "PATH", optional: true, manifest: true } as const;

/** A service that is said in the call. */
const ONE_SERVICE = [
  {
    name: "plugin",
    value: "PLUGIN",
    summary: "one service without a manifest: a built-in plugin, ./path or a package",
  },
  {
    name: "listen",
    value: "ADDRESS",
    many: true,
    with: "plugin",
    summary: "where it listens, as tcp://127.0.0.1:7007; several times for several",
  },
  {
    name: "set",
    value: "KEY=VALUE",
    many: true,
    with: "plugin",
    summary: "an option of the plugin: upper=true, a.b=3, list=[1,2]",
  },
  {
    name: "strategy",
    value: "STRATEGY",
    one: STRATEGY_NAMES,
    with: "plugin",
    summary: "how its sessions are served",
  },
  {
    name: "log",
    value: "SINK",
    many: true,
    with: "plugin",
    summary: "where its records go: console, json, none …",
  },
  {
    name: "control",
    value: "PATH",
    with: "plugin",
    summary: "where ctl --socket PATH reaches it; nowhere when silent",
  },
] as const satisfies readonly Option[];

/** Options of every command. */
export const EVERYWHERE = [
  { name: "help", short: "h", summary: "tells what a command takes" },
  { name: "version", short: "V", summary: "prints the version" },
  { name: "json", summary: "prints JSON, one line each" },
] as const satisfies readonly Option[];

/** The commands, in the order of the help. The first one is meant when none is named. */
export const COMMANDS = [
  {
    name: "run",
    summary: "runs a manifest until SIGINT or SIGTERM",
    words: [PATH],
    options: [
      { name: "watch", summary: "reloads when the manifest or a plugin changes" },
      { name: "stats", summary: "keeps a line on the terminal: sessions, rate, bytes" },
      ...ONE_SERVICE,
    ],
    instead: "plugin",
    more: [
      "SIGINT and SIGTERM stop accepting, drain and end; a second one closes at once. SIGHUP reloads, and opens log files anew. SIGUSR2 writes a status record.",
    ],
  },
  {
    name: "check",
    summary: "checks a manifest, and whether this machine can do it; binds nothing",
    words: [PATH],
    options: [
      {
        name: "permissions",
        summary: "prints the flags that Deno needs for the manifest, and runs nothing of it",
      },
      ...ONE_SERVICE,
    ],
    instead: "plugin",
  },
  {
    name: "explain",
    summary: "tells who is served by a service, and by which rule or limit not",
    words: [{ name: "PATH", manifest: true }, { name: "SERVICE" }],
    options: [
      { name: "from", value: "ADDRESS", summary: "the address of a peer, as 10.1.2.3 or ::1" },
      {
        name: "uid",
        value: "N",
        summary: "the user of a peer of this machine, over a Unix socket",
      },
      {
        name: "gid",
        value: "N",
        with: "uid",
        summary: "its group; the number of the user when silent",
      },
      { name: "at", value: "TIME", summary: "12:30 or 2026-11-27T12:30; now when silent" },
      { name: "count", value: "N", summary: "how many it is at once from there; 1 when silent" },
      { name: "who", summary: "all rules, with those that others have the say in place of" },
    ],
    more: [
      "The rules and limits of the manifest are asked by the code that asks them when it runs. Where a server of this manifest runs, it is told how full its limits are.",
    ],
  },
  {
    name: "doctor",
    summary: "tells what this runtime on this machine can do, and why not",
    words: [],
    options: [],
  },
  {
    name: "ctl",
    summary: "asks a server that runs, over its control socket",
    words: [],
    options: [
      {
        name: "manifest",
        value: "PATH",
        manifest: true,
        summary: "the manifest of the server that is meant",
      },
      { name: "socket", value: "PATH", summary: "its control socket, instead" },
    ],
    either: ["manifest", "socket", "both say which server is meant"],
    more: ["The verbs with [SERVICE] concern all services when it is left out."],
    verbs: CTL_VERBS,
  },
  {
    name: "new",
    summary: "writes a folder with a plugin, or a service, that passes its own tests",
    words: [
      { name: "WHAT", optional: true, one: ["plugin", "service"] },
      { name: "NAME", optional: true },
    ],
    options: [
      {
        name: "kind",
        value: "KIND",
        one: ["handler", "sink", "http", "hono"],
        summary: "what it holds; a handler when silent. Only a plugin can be a sink",
      },
      {
        name: "registry",
        value: "REGISTRY",
        one: ["npm", "jsr", "both"],
        summary: "where the plugin will be published; npm when silent",
      },
      { name: "dir", value: "FOLDER", summary: "the folder to make; named as the package is" },
      {
        name: "license",
        value: "LICENSE",
        one: ["MIT", "Apache-2.0", "ISC", "none"],
        summary: "MIT for a plugin, and none for a service, when silent",
      },
      { name: "holder", value: "TEXT", summary: "who holds the copyright; whoever git says" },
      { name: "yes", short: "y", summary: "asks nothing, also on a terminal" },
    ],
    more: [
      "NAME is that of the package, as npm takes it: shout, @you/portico-plugin-shout. On a terminal what is missing is asked for.",
    ],
  },
  {
    name: "import",
    summary: "makes a manifest of an inetd.conf, an xinetd.conf or a folder as /etc/xinetd.d",
    words: [{ name: "FILE" }],
    options: [{ name: "to", value: "PATH", summary: "writes it there, not to standard output" }],
    more: ["What has no equal in Portico stands in the manifest as a comment, with the reason."],
  },
  {
    name: "compile",
    summary: "makes one executable of a manifest, with its plugins and a runtime inside",
    words: [PATH],
    options: [
      { name: "to", value: "FILE", summary: "the executable; one that is there is replaced" },
      {
        name: "runtime",
        value: "RUNTIME",
        one: RUNTIMES,
        summary: "node, bun or deno inside; the one that runs this when silent",
      },
      {
        name: "target",
        value: "SYSTEM",
        summary: "another system, in the words of bun build or deno compile",
      },
    ],
    more: [
      "The executable takes the words of portico: alone it runs what is inside, ./FILE ctl status asks it, ./FILE run PATH runs another manifest with the plugins inside. Relative paths of the manifest inside start at the folder where it is started.",
    ],
  },
  {
    name: "schema",
    summary:
      "prints the JSON Schema of manifests, for editors; with PATH, with the options of its plugins",
    words: [{ name: "PATH", optional: true }],
    options: [{ name: "to", value: "FILE", summary: "writes it there" }],
  },
  {
    name: "completion",
    summary: "prints a script that completes portico in a shell",
    words: [{ name: "SHELL", one: SHELLS }],
    options: [],
    more: [
      "bash: source <(portico completion bash) in ~/.bashrc. zsh: source <(portico completion zsh) in ~/.zshrc, after compinit. fish: portico completion fish > ~/.config/fish/completions/portico.fish. Where ctl takes a SERVICE, the server that runs is asked.",
    ],
  },
  {
    name: "help",
    summary: "tells what a command takes",
    words: [{ name: "TOPIC", optional: true }, { name: "VERB", optional: true }],
    options: [],
    more: ["TOPIC is a command, VERB one of its verbs, if it has any."],
  },
] as const satisfies readonly CommandSpec[];

/** What a command takes with one of its verbs, beside {@link EVERYWHERE}. */
export function optionsFor({ options }: CommandSpec, verb?: CommandSpec): readonly Option[] {
  return [...verb?.options ?? [], ...(verb?.alone === true ? [] : options)];
}

type Specs = typeof COMMANDS[number];
type VerbsOf<Spec> = Spec extends { readonly verbs: readonly (infer Verb)[] } ? Verb : never;
type ItemOf<List> = List extends readonly (infer Item)[] ? Item : never;
type WordOf<Spec> = Spec extends { readonly words: infer Words } ? ItemOf<Words> : never;
type OptionOf<Spec> = Spec extends { readonly options: infer Options } ? ItemOf<Options> : never;
type NameOf<Item> = Item extends { readonly name: infer Name extends string } ? Name : never;
type Wanted<Item, Name> = Extract<Item, { readonly name: Name }>;
type Text<Item> = Item extends { readonly one: readonly (infer One)[] } ? One : string;

type WordValue<Item> = Item extends { readonly manifest: true } ? string
  : Item extends { readonly optional: true } ? Text<Item> | undefined
  : Text<Item>;
type OptionValue<Item> = Item extends { readonly many: true } ? readonly string[]
  : Item extends { readonly manifest: true } ? string
  : Item extends { readonly value: string } ? Text<Item> | undefined
  : boolean;
type Words<Item> = {
  readonly [Name in NameOf<Item> as Lowercase<Name>]: WordValue<Wanted<Item, Name>>;
};
type Options<Item> = { readonly [Name in NameOf<Item>]: OptionValue<Wanted<Item, Name>> };

/**
 * What a call of a command says: `command`, `json`; each word, under its name in small letters; each option,
 * under its name, a flag as a boolean. With verbs, `verb`, and what only some of them take, perhaps.
 */
export type CallOf<Name extends Specs["name"]> = CallOfSpec<Extract<Specs, { name: Name }>>;
type CallOfSpec<Spec extends Specs> =
  & { readonly command: Spec["name"]; readonly json: boolean }
  & Words<WordOf<Spec>>
  & Options<OptionOf<Spec>>
  & ([VerbsOf<Spec>] extends [never] ? unknown
    :
      & { readonly verb: NameOf<VerbsOf<Spec>> }
      & Partial<Words<WordOf<VerbsOf<Spec>>>>
      & Partial<Options<OptionOf<VerbsOf<Spec>>>>);
