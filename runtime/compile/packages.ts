/** Packages in the folder that becomes an executable: each as its dependents find it, and once where that can be. */
import { cpSync, existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname, extname, join } from "node:path";

/** Those that are in an executable by other ways, or cannot be: koffi is an addon. */
const LEFT_OUT: ReadonlySet<string> = new Set(["portico", "koffi"]);
/** What nobody reads who runs a package. Deno overflows its stack at data of tests that looks like a script. */
const UNREAD =
  /\.(?:d\.[cm]?ts|map|md|markdown|flow|tsbuildinfo)$|(?:^|\/)\.[^/]+$|^\/(?:__tests__|tests?|bench|examples?|docs?)$/i;

interface PackageJson {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** Copies packages below the `node_modules` of a folder. */
export class Packages {
  readonly #root: string;
  /** Where packages come from, by where they went. */
  readonly #placed = new Map<string, string>();

  /** @param root the folder, absolute. */
  constructor(root: string) {
    this.#root = root;
  }

  /**
   * Copies a package and what it depends on.
   *
   * @param from where it is looked for, upwards; as its dependent does.
   * @param home where its dependent lies below the root.
   * @returns whether it was found.
   */
  add(name: string, from: string, home: string): boolean {
    if (LEFT_OUT.has(name)) return true;
    const found = findPackage(name, from);
    if (found === undefined) return false;
    const place = this.#placeOf(name, found, home);
    if (this.#placed.has(place)) return true;
    this.#placed.set(place, found);
    copyCode(found, place);
    const json = JSON.parse(readFileSync(join(found, "package.json"), "utf8")) as PackageJson;
    for (const each of dependenciesOf(json)) this.add(each, found, place);
    return true;
  }

  /** At the top; below its dependent where there is another one of its name. */
  #placeOf(name: string, found: string, home: string): string {
    for (let folder = home; folder.startsWith(this.#root); folder = dirname(folder)) {
      const place = join(folder, "node_modules", name);
      const there = this.#placed.get(place);
      if (there === found) return place;
      if (there !== undefined) return join(home, "node_modules", name);
    }
    return join(this.#root, "node_modules", name);
  }
}

/** What a package imports by name. An optional peer is there for another one's sake, as often as not. */
function dependenciesOf(
  { dependencies, peerDependencies, peerDependenciesMeta, optionalDependencies }: PackageJson,
): string[] {
  const peers = Object.keys({ ...peerDependencies })
    .filter((name) => peerDependenciesMeta?.[name]?.optional !== true);
  return [...Object.keys({ ...dependencies, ...optionalDependencies }), ...peers];
}

/** Copies a folder, without the packages below it. */
export function copyCode(from: string, to: string): void {
  cpSync(from, to, {
    recursive: true,
    dereference: true,
    filter: (file) => !UNREAD.test(file.slice(from.length)) && file !== join(from, "node_modules"),
  });
}

/** The folder of a package, as a module in `from` finds it: where links lead. */
function findPackage(name: string, from: string): string | undefined {
  for (let folder = from;; folder = dirname(folder)) {
    const place = join(folder, "node_modules", name);
    if (existsSync(join(place, "package.json"))) return realpathSync(place);
    if (dirname(folder) === folder) return undefined;
  }
}

const BARE =
  /(?:\b(?:from|import)\s*\(?\s*|\brequire\s*\(\s*)(["'])((?:@[\w.-]+\/)?[\w][\w.-]*)(?:\/[^"']*)?\1/g;

/** The packages that a module may import, by their names. That a comment may seem to does no harm. */
export function importedPackages(file: string): string[] {
  if (!/^\.[cm]?[jt]sx?$/.test(extname(file))) return [];
  const text = readFileSync(file, "utf8");
  return [...new Set([...text.matchAll(BARE)].map(([, , name]) => name!))];
}

/** All files below a folder, relative to it. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}
