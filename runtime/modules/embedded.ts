/**
 * What an executable has inside: a manifest, and the modules that it names. Where Portico runs from
 * its files there is nothing inside, and every function here says so with undefined.
 */
import process from "node:process";

/** A module's namespace. */
type Namespace = Readonly<Record<string, unknown>>;

/** What `portico compile` has put into an executable. */
export interface Contents {
  /** Portico's version. */
  readonly version: string;
  /** The text of a manifest, JSON with comments; or the module that is one. */
  readonly manifest: string | (() => Promise<Namespace>);
  /** The modules of plugins and sinks, by what a manifest calls them: a name, a path, a package. */
  readonly modules: Readonly<Record<string, () => Promise<Namespace>>>;
}

/** The manifest inside. */
export interface EmbeddedManifest {
  /** What it is known by: the executable's own path. */
  readonly file: string;
  /** Where its relative paths start: where the executable was started. */
  readonly folder: string;
  readonly content: Contents["manifest"];
}

const SCHEME = "embedded:";

let contents: Contents | undefined;
let folder: string | undefined;
/** As it was at the start: an executable that takes its place has the same path. */
const EXECUTABLE = process.execPath;

/** To be called once in each thread, before anything is loaded. */
export function embed(given: Contents): void {
  contents = given;
}

/** Portico's version, where package.json is not there to say it. */
export function embeddedVersion(): string | undefined {
  return contents?.version;
}

/** The path that stands for the manifest inside. */
export function embeddedFile(): string | undefined {
  return contents === undefined ? undefined : EXECUTABLE;
}

/** The manifest inside, if that is the one that `file` stands for. */
export function embeddedManifest(file: string): EmbeddedManifest | undefined {
  if (contents === undefined || file !== EXECUTABLE) return undefined;
  folder ??= process.cwd();
  return { file, folder, content: contents.manifest };
}

/** The URL of a module inside, by what a manifest calls it. */
export function embeddedUrl(name: string): string | undefined {
  return contents !== undefined && Object.hasOwn(contents.modules, name)
    ? `${SCHEME}${name}`
    : undefined;
}

/** Imports a module inside, by its URL. */
export function embeddedModule(url: string): (() => Promise<Namespace>) | undefined {
  return url.startsWith(SCHEME) ? contents?.modules[url.slice(SCHEME.length)] : undefined;
}
