/** What package.json says in the package, where `bin` and `exports` lead into dist/. */
import { globSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";

/** What is read of it. */
export interface PackageJson {
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

/** The declarations that `exports` lead to, with what these import, as paths below `root`. */
export function declarationsOf(exports: PackageJson["exports"], root: string): string[] {
  const hidden = Object.keys(exports).filter((key) => exports[key] === null);
  const entries = Object.values(exports).flatMap((target) =>
    typeof target === "object" && target?.["types"] !== undefined ? [target["types"]] : []
  ).flatMap((types) => globSync(types.slice(2), { cwd: root }))
    .filter((file) => !hidden.some((key) => file === `dist/${key.slice(2)}.d.ts`));
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
