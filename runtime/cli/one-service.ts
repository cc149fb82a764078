/** `--plugin`, `--listen`, `--set` …: a manifest of one service that is said in words of the call. */
import { join } from "node:path";
import process from "node:process";
import type { ReadSource } from "../daemon/loaded-manifest.ts";
import { PorticoError } from "../core/errors.ts";
import { load } from "../manifest/load.ts";
import type { Place, Source } from "../manifest/source.ts";
import { nameOf } from "../modules/app.ts";
import type { CallOf } from "../terminal/commands.ts";
import { type Path, renderRows } from "../values/problem.ts";

/** What a call says that may have a manifest or be one. */
type Said = Pick<CallOf<"check">, "path" | "plugin" | keyof typeof WORDS>;

/** Under which key of a service, or of the manifest, each option stands. */
const WORDS = {
  listen: "listen",
  set: "options",
  strategy: "concurrency",
  log: "log",
  control: "control",
};

/** Reads the manifest that a call names, or is. @throws PorticoError USAGE, once it is called. */
export function readerOf(said: Said): ReadSource {
  if (said.plugin === undefined) {
    return (versionOf) => load(said.path, process.env, versionOf);
  }
  // Nothing of it changes while it runs, but for the modules that it names.
  const source = sourceOfWords(said, said.plugin);
  return () => source;
}

/** The words that say the same, for a successor. */
export function wordsOf({ path, plugin, listen, set, strategy, log, control }: Said): string[] {
  if (plugin === undefined) return [path];
  const one = { plugin: [plugin], listen, set, strategy, log, control };
  return Object.entries(one).flatMap(([name, values = []]) =>
    [values].flat().map((value) => `--${name}=${value}`)
  );
}

function sourceOfWords({ listen, set, strategy, log, control }: Said, plugin: string): Source {
  if (listen.length === 0 && plugin !== "admin") {
    throw wrong(`--plugin ${plugin}, and no --listen`, "--listen ADDRESS, as tcp://127.0.0.1:7007");
  }
  const name = nameOf(plugin);
  const base = ["services", name, "options"];
  const { options, texts } = readOptions(set);
  const value = {
    // Several may run in one folder; who wants to steer one says where.
    control: control ?? false,
    services: {
      [name]: {
        plugin,
        ...(listen.length > 0 && { listen }),
        ...(set.length > 0 && { options }),
        ...(strategy !== undefined && { concurrency: strategy }),
        ...(log.length > 0 && { log }),
      },
    },
  };
  return {
    file: join(process.cwd(), `--plugin ${name}`),
    value,
    // As with variables of the environment: what it is, text or a number, the plugin's schema knows.
    references: texts.map((path) => ({ path: [...base, ...path], whole: true })),
    locate: (path) => placeOf(path, plugin),
  };
}

/** What a place of the manifest is called in the words of the call. */
function placeOf([top, , key, ...inner]: Path, plugin: string): Place {
  const said = top === "services" ? key : top;
  const option = Object.entries(WORDS).find(([, name]) => name === said)?.[0];
  const file = option === undefined ? `--plugin ${plugin}` : `--${option}`;
  return {
    file: option === "set" && inner.length > 0 ? `${file} ${inner.join(".")}` : file,
    path: [],
  };
}

type Tree = { [key: string]: unknown };

/** `a.b=1`: keys of objects in each other, and text; or JSON, where it begins as a list, an object or text of JSON. */
function readOptions(set: readonly string[]): { options: Tree; texts: string[][] } {
  const options: Tree = Object.create(null);
  const texts: string[][] = [];
  for (const text of set) {
    const end = text.indexOf("=");
    const keys = text.slice(0, Math.max(end, 0)).split(".");
    if (keys.includes("")) {
      throw wrong(
        `--set ${text}`,
        "--set KEY=VALUE, as upper=true, or limits.size=3 for a key in a key",
      );
    }
    let at = options;
    for (const key of keys.slice(0, -1)) at = (at[key] ??= Object.create(null)) as Tree;
    const last = keys.at(-1)!;
    if (typeof at !== "object" || Object.hasOwn(at, last)) {
      throw wrong(`--set ${text}`, "each key once: another --set says it already");
    }
    const said = text.slice(end + 1);
    at[last] = jsonOf(said) ?? said;
    if (at[last] === said) texts.push(keys);
  }
  return { options, texts };
}

function jsonOf(text: string): unknown {
  if (!/^\s*[[{"]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function wrong(received: string, expected: string): PorticoError {
  return new PorticoError("USAGE", renderRows({ received, expected }));
}
