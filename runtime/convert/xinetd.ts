/** Reads xinetd.conf(5): services with their attributes, `defaults`, `include` and `includedir`. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf, PorticoError } from "../core/errors.ts";
import type { Entry } from "./entry.ts";

/** Values of these add up, over a service and over `defaults`. */
const LISTS: readonly string[] = [
  "only_from",
  "no_access",
  "log_on_success",
  "log_on_failure",
  "passenv",
  "env",
];
/** In `defaults`, `=` adds to these as `+=` does. */
const CUMULATIVE: readonly string[] = [...LISTS, "disabled", "enabled"];
const FILES_MAX = 1000;

type Attributes = Map<string, string[]>;

interface Block {
  readonly service: string;
  readonly file: string;
  readonly line: number;
  readonly lines: readonly Assignment[];
}

interface Assignment {
  readonly name: string;
  readonly operator: string;
  readonly words: readonly string[];
}

/**
 * The services of a file, or of all files of a folder, as `includedir` takes them.
 *
 * @throws PorticoError CONFIG_UNREADABLE with file and line, for what xinetd would not read either.
 */
export function readXinetd(path: string, folder: boolean): Entry[] {
  const reader = new Reader();
  if (folder) reader.folder(path, path, 0);
  else reader.file(path);
  return reader.entries();
}

/** What cannot be read, and where. */
export function unreadable(file: string, line: number, text: string): PorticoError {
  return new PorticoError("CONFIG_UNREADABLE", `${file}:${line}: ${text}`);
}

class Reader {
  readonly #blocks: Block[] = [];
  readonly #defaults: Attributes = new Map();
  /** Files that were read, against those that include each other. */
  #files = 0;

  file(path: string, from = path, line = 0): void {
    let text: string;
    try {
      if (++this.#files > FILES_MAX) throw new Error(`more than ${FILES_MAX} files`);
      text = readFileSync(path, "utf8");
    } catch (error) {
      throw unreadable(from, line, `a file that can be read: ${messageOf(error)}`);
    }
    const lines = text.split(/\r?\n/);
    for (let at = 0; at < lines.length; at++) {
      const words = wordsOf(lines[at]!);
      const [first, second] = words;
      if (first === undefined) continue;
      if (first === "include" && second !== undefined) this.file(second, path, at + 1);
      else if (first === "includedir" && second !== undefined) this.folder(second, path, at + 1);
      else if (first === "defaults" || (first === "service" && second !== undefined)) {
        at = this.#block(path, lines, at, first === "defaults" ? undefined : second);
      } else {
        throw unreadable(
          path,
          at + 1,
          `"service NAME", "defaults", "include FILE" or "includedir FOLDER": received ${
            JSON.stringify(lines[at]!.trim())
          }`,
        );
      }
    }
  }

  folder(path: string, from: string, line: number): void {
    let names: string[];
    try {
      names = readdirSync(path, { withFileTypes: true }).filter((one) => !one.isDirectory())
        .map(({ name }) => name);
    } catch (error) {
      throw unreadable(from, line, `a folder that can be read: ${messageOf(error)}`);
    }
    // By the letters, as the C locale has them.
    names.sort((a, b) => a < b ? -1 : 1);
    for (const name of names) {
      if (!name.includes(".") && !name.endsWith("~")) this.file(join(path, name), from, line);
    }
  }

  /** @returns the line with its closing brace. */
  #block(file: string, lines: readonly string[], start: number, service?: string): number {
    const inside: Assignment[] = [];
    // The brace may stand on the line of the name, or on one of its own.
    let open = lines[start]!.trimEnd().endsWith("{");
    for (let at = start + 1; at < lines.length; at++) {
      const text = lines[at]!.trim();
      if (text === "" || text.startsWith("#")) continue;
      if (!open) {
        if (text !== "{") throw unreadable(file, at + 1, `"{": received ${JSON.stringify(text)}`);
        open = true;
        continue;
      }
      if (text === "}") {
        if (service === undefined) {
          for (const one of inside) assign(this.#defaults, one, CUMULATIVE);
        } else this.#blocks.push({ service, file, line: start + 1, lines: inside });
        return at;
      }
      const [, name, operator, value] = /^(\w+)\s*(\+=|-=|=)\s*(.*)$/.exec(text) ?? [];
      if (name === undefined) {
        throw unreadable(file, at + 1, `"NAME = VALUE" or "}": received ${JSON.stringify(text)}`);
      }
      inside.push({ name: name.toLowerCase(), operator: operator!, words: wordsOf(value!) });
    }
    throw unreadable(file, start + 1, `a closing "}" of ${service ?? "defaults"}`);
  }

  entries(): Entry[] {
    const disabled = this.#defaults.get("disabled") ?? [];
    const enabled = this.#defaults.get("enabled");
    return this.#blocks.map(({ service, file, line, lines }) => {
      const attributes: Attributes = new Map(
        [...this.#defaults].filter(([name]) => name !== "disabled" && name !== "enabled")
          .map(([name, words]) => [name, [...words]]),
      );
      const fresh = new Set<string>();
      for (const one of lines) {
        // The first "=" of a service puts aside what the defaults say, the next ones add to it.
        assign(attributes, one, fresh.has(one.name) ? LISTS : []);
        fresh.add(one.name);
      }
      const id = attributes.get("id")?.[0] ?? service;
      const off = whyOff(attributes, id, disabled, enabled);
      return { service, id, file, line, attributes, ...(off !== undefined && { off }) };
    });
  }
}

function whyOff(
  attributes: Attributes,
  id: string,
  disabled: readonly string[],
  enabled: readonly string[] | undefined,
): string | undefined {
  if (attributes.get("disable")?.[0]?.toLowerCase() === "yes") return "disable = yes";
  if (attributes.get("flags")?.includes("DISABLE") === true) return "flags = DISABLE";
  if (disabled.includes(id)) return "disabled in defaults";
  if (enabled !== undefined && !enabled.includes(id)) return "not among enabled in defaults";
  return undefined;
}

function assign(
  attributes: Attributes,
  { name, operator, words }: Assignment,
  adding: readonly string[],
): void {
  const before = attributes.get(name) ?? [];
  if (operator === "-=") attributes.set(name, before.filter((word) => !words.includes(word)));
  else if (operator === "+=" || adding.includes(name)) attributes.set(name, [...before, ...words]);
  else attributes.set(name, [...words]);
}

/** The words of a line; none of a comment. xinetd knows no quotes. */
function wordsOf(line: string): string[] {
  const text = line.trim();
  return text === "" || text.startsWith("#") ? [] : text.split(/\s+/);
}

/** Whether a text is one for xinetd, and not for inetd. */
export function isXinetd(text: string): boolean {
  return /^\s*(?:service\s+\S+\s*\{?|defaults\s*\{?|include(?:dir)?\s+\S+)\s*$/m.test(text);
}
