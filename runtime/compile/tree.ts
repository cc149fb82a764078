/**
 * The folder from which an executable is made: Portico, the packages that it needs, the manifest with
 * its plugins, and the module that it begins with. It runs from there on any runtime.
 *
 *     main.mjs  portico/  node_modules/  app/
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { isOwn } from "../core/frames.ts";
import { BUILT_IN, pluginUrl } from "../modules/resolve.ts";
import { realOf } from "../modules/graph.ts";
import { stampOf } from "../modules/stamp.ts";
import { homeOf, type Inside } from "./inside.ts";
import { copyCode, importedPackages, Packages } from "./packages.ts";

/** Portico's own folder, with its package.json: two up, or three where this is compiled. */
const COMPILED = import.meta.url.endsWith(".js");
const HOME = fileURLToPath(new URL(COMPILED ? "../../../" : "../../", import.meta.url).href);
const CODE = COMPILED ? ["dist"] : ["runtime", "adapters", "plugins"];

/** What the dashboard reads beside its modules; uPlot's from its package. */
const UPLOT = { "uplot.js": "uPlot.iife.min.js", "uplot.css": "uPlot.min.css" };

/** Where things lie below the tree, and the modules that those who make executables have to know. */
export interface Tree {
  readonly folder: string;
  /** What is begun with, relative. */
  readonly entry: string;
  /** Modules that are started as threads of their own, relative. */
  readonly threads: readonly string[];
  /** Files that modules read beside themselves, relative. */
  readonly assets: readonly string[];
}

/**
 * Fills an empty folder.
 *
 * @param version Portico's.
 */
export function plant(folder: string, inside: Inside, version: string): Tree {
  const packages = new Packages(folder);
  const portico = join(folder, "portico");
  for (const name of CODE) copyCode(join(HOME, name), join(portico, name));
  cpSync(join(HOME, "package.json"), join(portico, "package.json"));
  const json = JSON.parse(readFileSync(join(HOME, "package.json"), "utf8")) as PorticoJson;
  // With LogTape, where it is installed.
  for (const name of Object.keys({ ...json.dependencies, ...json.peerDependencies })) {
    packages.add(name, HOME, portico);
  }
  writeShims(folder, json);
  const assets = copyAssets(folder);
  const app = plantModules(folder, inside, packages);
  writeFileSync(join(folder, "main.mjs"), entryModule(inside, version, app));
  writeFileSync(join(folder, "deno.json"), `{ "nodeModulesDir": "manual" }\n`);
  const epoll = own("../../adapters/posix/epoll-bun");
  return { folder, entry: "main.mjs", threads: [epoll], assets };
}

interface PorticoJson {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** One of Portico's modules in the tree, by its place as seen from here. */
function own(place: string): string {
  const url = new URL(`${place}${COMPILED ? ".js" : ".ts"}`, import.meta.url).href;
  return inTree(fileURLToPath(url));
}

function inTree(file: string): string {
  return join("portico", relative(HOME, file)).replaceAll(sep, "/");
}

/** Who imports `portico` gets the modules that run it, whatever they are written in. */
function writeShims(folder: string, { exports }: PorticoJson): void {
  const shim = join(folder, "node_modules", "portico");
  mkdirSync(shim, { recursive: true });
  const table: Record<string, string> = {};
  for (const [name, target] of Object.entries(exports)) {
    const to = typeof target === "object"
      ? (target as { default?: string } | null)?.default
      : target;
    if (typeof to !== "string" || !/\.[jt]s$/.test(to) || name.includes("*")) continue;
    const file = `${name === "." ? "index" : name.slice(2).replaceAll("/", "-")}.js`;
    const url = JSON.stringify(`../../portico/${to.slice(2)}`);
    writeFileSync(join(shim, file), `export * from ${url};\n`);
    table[name] = `./${file}`;
  }
  const json = { name: "portico", type: "module", exports: table };
  writeFileSync(join(shim, "package.json"), JSON.stringify(json));
}

function copyAssets(folder: string): string[] {
  const admin = join(folder, dirname(inTree(fileURLToPath(pluginUrl("admin")))), "admin");
  const uplot = join(folder, "node_modules", "uplot", "dist");
  for (const [name, file] of Object.entries(UPLOT)) {
    if (existsSync(join(uplot, file))) cpSync(join(uplot, file), join(admin, name));
  }
  return readdirSync(admin).filter((name) => /^(?:page|uplot)\./.test(name))
    .map((name) => relative(folder, join(admin, name)));
}

/** Where the modules of a manifest are in the tree, by what it calls them; "" is the manifest. */
type Places = ReadonlyMap<string, string>;

function plantModules(folder: string, inside: Inside, packages: Packages): Places {
  const home = realOf(homeOf(inside));
  const entries = new Map<string, string>();
  if (inside.text === undefined) entries.set("", inside.manifest);
  const places = new Map<string, string>();
  for (const { target, file } of inside.modules) {
    if (file === undefined) places.set(target, target);
    else if (isPackage(target) && packages.add(nameOf(target), home, join(folder, "app"))) {
      // As the app finds it, which may have another one of this name than Portico.
      const place = `./app/package-${places.size}.mjs`;
      mkdirSync(join(folder, "app"), { recursive: true });
      writeFileSync(join(folder, place), wholeOf(target));
      places.set(target, place);
    } else entries.set(target, file);
  }
  const files = [...entries.values()].flatMap((file) => stampOf(pathToFileURL(file).href).files)
    .filter(existsSync).map(realOf);
  const base = commonFolder([home, ...files.map(dirname)]);
  const placeOf = (file: string): string => join("app", relative(base, file));
  for (const file of new Set(files)) {
    if (isOwn(file)) {
      leadToPortico(file, folder, placeOf(file));
      continue;
    }
    copyFile(file, join(folder, placeOf(file)));
    copyPackageJson(file, base, folder);
    for (const name of importedPackages(file)) {
      packages.add(name, dirname(file), join(folder, dirname(placeOf(file))));
    }
  }
  for (const [target, file] of entries) {
    places.set(target, `./${placeOf(realOf(file)).replaceAll(sep, "/")}`);
  }
  return places;
}

/** A module that is a package, with its default where it has one: a matcher has none. */
function wholeOf(target: string): string {
  const name = JSON.stringify(target);
  return `import * as whole from ${name};\nexport * from ${name};\nexport default whole.default;\n`;
}

/** Who imports a module of Portico by its path gets the one that runs, as who imports it by its name. */
function leadToPortico(file: string, folder: string, place: string): void {
  const to = relative(dirname(place), inTree(file)).replaceAll(sep, "/");
  mkdirSync(dirname(join(folder, place)), { recursive: true });
  writeFileSync(join(folder, place), `export * from ${JSON.stringify(to)};\n`);
}

function copyFile(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to);
}

/** Whether a `.js` is an ES module, and its `#imports`, is said by the package.json above it. */
function copyPackageJson(file: string, base: string, folder: string): void {
  for (let at = dirname(file);; at = dirname(at)) {
    const path = join(at, "package.json");
    if (existsSync(path)) {
      const inside = at === base || at.startsWith(base + sep);
      const { type, imports } = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
      const to = join(folder, "app", inside ? relative(base, at) : ".");
      mkdirSync(to, { recursive: true });
      writeFileSync(join(to, "package.json"), JSON.stringify({ type, imports }));
      return;
    }
    if (dirname(at) === at) return;
  }
}

function isPackage(target: string): boolean {
  return !/^(?:\.{1,2}(?:[\\/]|$)|[\\/]|\w+:)/.test(target);
}

function nameOf(target: string): string {
  return target.split("/").slice(0, target.startsWith("@") ? 2 : 1).join("/");
}

/** The deepest folder that all of these are in. */
export function commonFolder(folders: readonly string[]): string {
  const [first = sep, ...rest] = folders;
  let common = first;
  for (const folder of rest) {
    while (folder !== common && !folder.startsWith(common === sep ? sep : common + sep)) {
      common = dirname(common);
    }
  }
  return common;
}

/** Every import has its name in it, so that those who make executables find them. */
function entryModule({ text }: Inside, version: string, places: Places): string {
  const importOf = (place: string): string => `() => import(${JSON.stringify(place)})`;
  const modules = [
    ...BUILT_IN.map((name) => [name, `./${inTree(fileURLToPath(pluginUrl(name)))}`] as const),
    ...[...places].filter(([target]) => target !== ""),
  ];
  return `import { startExecutable } from "./${own("../executable")}";

await startExecutable({
  version: ${JSON.stringify(version)},
  manifest: ${text === undefined ? importOf(places.get("")!) : JSON.stringify(text)},
  modules: {
${modules.map(([name, place]) => `    ${JSON.stringify(name)}: ${importOf(place)},\n`).join("")}  },
});
`;
}
