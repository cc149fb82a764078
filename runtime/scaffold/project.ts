/** What `portico new` writes: real files, from layers that lie over each other, with names put in. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { pluginName } from "./name.ts";

/** A plugin to be published, or a service to be run. */
export interface Project {
  readonly what: "plugin" | "service";
  /** What it holds: a handler, a sink, an app with `fetch`, or one made with Hono. */
  readonly kind: "handler" | "sink" | "http" | "hono";
  /** Of the package, as npm takes it. */
  readonly name: string;
  readonly registry: "npm" | "jsr" | "both";
  readonly license: "MIT" | "Apache-2.0" | "ISC" | "none";
  /** Who holds the copyright. */
  readonly holder: string;
  /** The version of Portico that it is made for. */
  readonly version: string;
  /** Where npm has that from: a range of versions, or `file:` and a folder. */
  readonly portico: string;
}

/** Beside the runtime, compiled or not. */
const TEMPLATES = fileURLToPath(new URL("../../templates/", import.meta.url).href);

/** The folders of templates that make a project; a file of a later one takes the place of an earlier one's. */
function layersOf({ what, kind, registry, license }: Project): readonly string[] {
  const kinds = kind === "hono" ? ["http", "hono"] : [kind];
  return [
    ...["shared", what, ...kinds, ...kinds.map((each) => `${what}-${each}`)],
    ...(what === "plugin" ? registryLayers(kind, registry) : []),
    ...(license === "none" ? [] : [`license-${license}`]),
  ];
}

function registryLayers(kind: Project["kind"], registry: Project["registry"]): readonly string[] {
  const jsr = registry === "npm" ? [] : kind === "hono" ? ["jsr-hono"] : ["jsr"];
  return [...jsr, `registry-${registry}`];
}

/**
 * The files of a project, by their path in its folder. Those that a tool would take for its own where
 * the templates lie, as package.json, have a `_` before their name there.
 */
export function filesOf(project: Project): ReadonlyMap<string, string> {
  const names: Readonly<Record<string, string>> = {
    package: project.name,
    plugin: pluginName(project.name),
    version: project.version,
    portico: project.portico,
    license: project.license === "none" ? "UNLICENSED" : project.license,
    holder: project.holder,
    year: String(new Date().getFullYear()),
  };
  const files = new Map<string, string>();
  for (const layer of layersOf(project)) {
    const home = join(TEMPLATES, layer);
    const entries = readdirSync(home, { recursive: true, withFileTypes: true });
    const paths = entries.filter((entry) => entry.isFile())
      .map(({ name, parentPath }) => join(parentPath, name));
    for (const path of paths) {
      const place = relative(home, path).split(sep).map((part) => part.replace(/^_/, "")).join("/");
      const text = readFileSync(path, "utf8");
      files.set(place, text.replaceAll(/__([a-z]+)__/g, (token, name) => names[name] ?? token));
    }
  }
  return new Map([...files].sort(([one], [other]) => one < other ? -1 : 1));
}
