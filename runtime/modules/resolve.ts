import { statSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { didYouMean } from "../values/nearest.ts";
import { embeddedUrl } from "./embedded.ts";
import { objectAt } from "./object.ts";
import { resolvePackage } from "./package.ts";
import { show } from "../values/problem.ts";

/** The plugins that Portico brings along. */
export const BUILT_IN: readonly string[] = [
  "admin",
  "chargen",
  "daytime",
  "discard",
  "echo",
  "exec",
  "proxy",
  "qotd",
  "sensor",
  "time",
];

/** Names no module: the option `app` does; see `manifest/plugin-place.ts`. */
export const HTTP = "http";

/** A plugin's module, or what is wrong with its specifier. */
export type Resolution =
  | { readonly url: string }
  | { readonly received: string; readonly expected: string; readonly hint?: string | undefined };

/**
 * Finds a plugin's module: a short name of the manifest, a built-in name, a path, a package from the
 * manifest's folder, or `npm:`, `jsr:`, `https:` as it stands. In this order, so that a manifest can
 * replace what is built in, and an installed package cannot.
 *
 * @param shorts the manifest's `plugins`.
 * @param file the manifest.
 */
export function resolvePlugin(
  specifier: string,
  shorts: Readonly<Record<string, string>>,
  file: string,
): Resolution {
  const named = Object.hasOwn(shorts, specifier) ? shorts[specifier] : undefined;
  const target = named ?? specifier;
  const url = urlOf(target, file);
  if (url !== undefined && !url.startsWith("file:")) return { url };
  if (url === undefined) {
    return {
      received: told(specifier, named),
      expected: expectation(shorts, file),
      hint: hintFor(target, shorts, file),
    };
  }
  const path = fileURLToPath(url);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isFile()) return { url };
  return {
    received: `${told(specifier, named)}, and ${path} ${stat ? "is a folder" : "does not exist"}`,
    expected: "the path of a module, relative to the manifest",
  };
}

function urlOf(target: string, file: string): string | undefined {
  const inside = embeddedUrl(target);
  if (inside !== undefined) return inside;
  if (objectAt(target) !== undefined) return target;
  if (BUILT_IN.includes(target)) return builtIn(target);
  if (/^\.\.?(?:[\\/]|$)/.test(target) || isAbsolute(target)) {
    return pathToFileURL(resolve(dirname(file), target)).href;
  }
  if (/^(?:file|npm|jsr|https):/.test(target)) return target;
  const path = resolvePackage(target, file);
  return path === undefined ? undefined : pathToFileURL(path).href;
}

/** Whether a module is the `admin` of this package: the one that is given the server itself. */
export function isAdmin({ url }: { readonly url: string }): boolean {
  return url === builtIn("admin");
}

/** Whether a module is the `sensor` of this package: whoever comes to it is banned. */
export function isSensor({ url }: { readonly url: string }): boolean {
  return url === builtIn("sensor");
}

/** Built-in plugins lie beside the runtime, and have been compiled where it has. */
export function builtIn(name: string): string {
  return embeddedUrl(name) ?? pluginUrl(name);
}

/** The module of a built-in plugin, as it lies beside this one. */
export function pluginUrl(name: string): string {
  const extension = /\.\w+$/.exec(new URL(import.meta.url).pathname)![0];
  return new URL(`../../plugins/${name}${extension}`, import.meta.url).href;
}

function told(specifier: string, named: string | undefined): string {
  return named === undefined ? show(specifier) : `${show(specifier)}, short for ${show(named)}`;
}

function expectation(shorts: Readonly<Record<string, string>>, file: string): string {
  return [
    `a built-in plugin: ${[...BUILT_IN, HTTP].join(", ")}`,
    Object.keys(shorts).length === 0
      ? `a short name: "plugins" has none`
      : `a short name of "plugins": ${Object.keys(shorts).join(", ")}`,
    `a path: ./… ../… or /…`,
    `an npm package: none of this name is installed for ${dirname(file)}`,
    `npm:… jsr:… https:… where the runtime can`,
  ].join("\n");
}

function hintFor(
  target: string,
  shorts: Readonly<Record<string, string>>,
  file: string,
): string | undefined {
  const beside = statSync(resolve(dirname(file), target), { throwIfNoEntry: false })?.isFile();
  return beside
    ? `did you mean "./${target}"?`
    : didYouMean(target, [...BUILT_IN, HTTP, ...Object.keys(shorts)]);
}
