import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, type TestContext } from "node:test";

/** Deno does not run `t.after` of a test inside a `describe`: what it leaves is removed at the file's end. */
const left = new Set<string>();
after(() => left.forEach(remove));

function remove(path: string): void {
  rmSync(path, { recursive: true, force: true });
  left.delete(path);
}

/** A real folder with these files, by path in it; removed when the test is over. */
export function folder(
  t: Pick<TestContext, "after">,
  files: Readonly<Record<string, string>>,
): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), "portico-")));
  left.add(path);
  t.after(() => remove(path));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  return path;
}
