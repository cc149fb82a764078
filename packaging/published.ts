/** What package.json says in the package, where `bin` and `exports` lead into dist/. */
import { globSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";

/** What is read of it. */
export interface PackageJson {
  readonly version: string;
  /** The man page, which is made. */
  readonly man: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, Target>>;
  readonly publishConfig?: Partial<PackageJson>;
  readonly [field: string]: unknown;
}

type Target = string | null | Readonly<Record<string, string>>;

/** Fields that concern nobody but who works on Portico. */
const OWN: ReadonlySet<string> = new Set([
  "allowScripts",
  "devDependencies",
  "publishConfig",
  "scripts",
  "trustedDependencies",
]);

/**
 * From source nothing is compiled, so package.json leads to the TypeScript; its `publishConfig` has
 * what takes its place in the package, as with pnpm. npm itself does not read it there.
 */
export function published(json: PackageJson): PackageJson {
  const fields = Object.entries({ ...json, ...json.publishConfig });
  return Object.fromEntries(fields.filter(([name]) => !OWN.has(name))) as unknown as PackageJson;
}

/** The entry points that have declarations, `./plugins/echo` for one, with these; paths below `root`. */
export function entriesOf(exports: PackageJson["exports"], root: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(exports).flatMap(([name, target]) => {
      const types = typeof target === "object" ? target?.["types"] : undefined;
      if (types === undefined) return [];
      return globSync(types.slice(2), { cwd: root }).map((file) => {
        const star = file.slice(types.indexOf("*") - 2, file.length - ".d.ts".length);
        return [name.replace("*", star), file] as const;
      });
    }).filter(([name]) => exports[name] !== null),
  );
}

/** Those declarations, and what they import. */
export function declarationsOf(exports: PackageJson["exports"], root: string): string[] {
  const entries = Object.values(entriesOf(exports, root));
  const found = new Set<string>();
  for (const waiting = [...entries]; waiting.length > 0;) {
    const file = waiting.pop()!;
    if (found.has(file)) continue;
    found.add(file);
    const text = readFileSync(join(root, file), "utf8");
    for (const [, specifier] of text.matchAll(/(?:from |import\()"(\.[^"]+)\.js"/g)) {
      waiting.push(posix.join(posix.dirname(file), `${specifier}.d.ts`));
    }
  }
  return [...found];
}
