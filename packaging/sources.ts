/** A copy of what a build reads: `npm pack`, which changes package.json while it runs, changes nothing here. */
import { cpSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url).href);

const SOURCES = [
  ...["runtime", "adapters", "testing", "plugins", "templates", "packaging"],
  ...["package.json", "tsconfig.json", "README.md", "CHANGELOG.md", "LICENSE"],
];

/** @param home an empty folder. */
export function copySources(home: string): void {
  for (const name of SOURCES) cpSync(join(ROOT, name), join(home, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(home, "node_modules"));
}
