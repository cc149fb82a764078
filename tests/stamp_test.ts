import assert from "node:assert/strict";
import { renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { watchFiles } from "../runtime/daemon/watch.ts";
import { digest } from "../runtime/values/digest.ts";
import { stampOf } from "../runtime/modules/stamp.ts";
import { folder } from "./support/folder.ts";
import { until } from "./support/until.ts";

const urlOf = (...parts: string[]): string => pathToFileURL(join(...parts)).href;

describe("stampOf", () => {
  const FILES = {
    "p.ts": `import a, { type B } from "./a.ts";
import "./side.ts";
export * from './deep/b.ts';
import {
  long,
} from "./long.ts";
import data from "./data.json" with { type: "json" };
import { x } from "npm:x";
import fs from "node:fs";
const late = await import("./late.ts");
const computed = await import(\`./\${late}.ts\`);
const text = "import";
`,
    "a.ts": "export default 1;",
    "side.ts": "",
    "deep/b.ts": 'export { c } from "../c.ts"; import "./gone.ts";',
    "c.ts": 'import "./p.ts"; export const c = 1;',
    "long.ts": "",
    "data.json": '{ "import": "./a.ts" }',
    "late.ts": 'export type T = import("./types.ts").T;',
    "types.ts": "",
    "other.ts": "",
  };

  test("finds what a module imports by relative names, as far as they lead", (t) => {
    const home = folder(t, FILES);
    const { files } = stampOf(urlOf(home, "p.ts"));
    assert.equal(files[0], join(home, "p.ts"));
    assert.deepEqual(
      files.map((file) => file.slice(home.length + 1)).toSorted(),
      [...Object.keys(FILES).filter((name) => name !== "other.ts"), "deep/gone.ts"].toSorted(),
    );
  });

  test("follows nothing into Portico itself, which is one thing, as a package is", (t) => {
    const module = fileURLToPath(new URL("../runtime/mod.ts", import.meta.url).href);
    const home = folder(t, { "p.ts": `import { definePlugin } from ${JSON.stringify(module)};` });
    symlinkSync(module, join(home, "portico.ts"));
    writeFileSync(join(home, "q.ts"), 'import { definePlugin } from "./portico.ts";');
    const { files } = stampOf(urlOf(home, "q.ts"));
    assert.deepEqual(files, [join(home, "q.ts"), join(home, "portico.ts")]);
    const echo = fileURLToPath(new URL("../plugins/echo.ts", import.meta.url).href);
    const inside = stampOf(pathToFileURL(echo).href).files.filter((file) => /runtime/.test(file));
    assert.deepEqual(inside, [module]);
  });

  test("is another one when a file has changed, gone or appeared; not when it was touched", (t) => {
    const home = folder(t, FILES);
    const stamp = (): string => stampOf(urlOf(home, "p.ts")).stamp;
    const before = stamp();
    utimesSync(join(home, "a.ts"), 1, 1);
    writeFileSync(join(home, "other.ts"), "changed");
    assert.equal(stamp(), before);
    const steps: [string, () => void][] = [
      ["changed, with the same length", () => writeFileSync(join(home, "c.ts"), "?".repeat(36))],
      ["gone", () => rmSync(join(home, "side.ts"))],
      ["appeared", () => writeFileSync(join(home, "deep/gone.ts"), "")],
    ];
    const seen = new Set([before]);
    for (const [what, step] of steps) {
      step();
      assert.equal(seen.has(stamp()), false, what);
      seen.add(stamp());
    }
  });

  test("follows links as runtimes do; where all of it lies is no difference", (t) => {
    const home = folder(t, {
      "v1/app/p.ts": 'import "../lib/x.ts";',
      "v1/lib/x.ts": "1",
      "v2/app/p.ts": 'import "../lib/x.ts";',
      "v2/lib/x.ts": "1",
      "lib/x.ts": "not meant",
    });
    symlinkSync("v1/app", join(home, "app"));
    const url = urlOf(home, "app/p.ts");
    const before = stampOf(url);
    assert.deepEqual(before.files, [join(home, "app/p.ts"), join(home, "v1/lib/x.ts")]);
    rmSync(join(home, "app"));
    symlinkSync("v2/app", join(home, "app"));
    assert.equal(stampOf(url).stamp, before.stamp);
    writeFileSync(join(home, "v2/lib/x.ts"), "2");
    assert.notEqual(stampOf(url).stamp, before.stamp);
  });

  test("tolerates an entry that is not there, and leaves other URLs alone", (t) => {
    const home = folder(t, {
      "index/index.ts": "",
      "x.js": 'import "./index"; import "./y.js?v=2";',
    });
    assert.deepEqual(stampOf(urlOf(home, "none.ts")).files, [join(home, "none.ts")]);
    assert.deepEqual(stampOf("npm:x@1"), { stamp: "npm:x@1", files: [] });
    assert.deepEqual(stampOf(`${urlOf(home, "x.js")}?reload=1`).files.toSorted(), [
      join(home, "index/index.ts"),
      join(home, "x.js"),
      join(home, "y.js"),
    ]);
  });

  test("digest is the same everywhere, and tells texts apart", () => {
    assert.equal(digest(""), digest(""));
    assert.match(digest("portico"), /^[0-9a-f]{13}$/);
    const texts = Array.from({ length: 20_000 }, (_, i) => `/srv/${i}/portico.json`);
    assert.equal(new Set(texts.map(digest)).size, texts.length);
  });
});

/** Watches that a failed test has left behind. */
const watches = new Set<() => void>();
after(() => watches.forEach((end) => end()));

/** Counts the calls for these files. */
function watched(files: () => readonly string[]): { count(): number; end(): void } {
  let count = 0;
  const stop = watchFiles(files, () => void count++);
  watches.add(stop);
  return {
    count: () => count,
    end() {
      stop();
      watches.delete(stop);
    },
  };
}

describe("watchFiles", () => {
  test("tells of a file that is written, replaced, removed and made again; once each", async (t) => {
    const home = folder(t, { "a.ts": "1", "b.ts": "1" });
    const a = join(home, "a.ts");
    const { count, end } = watched(() => [a, join(home, "b.ts")]);
    const steps: [string, () => void][] = [
      ["written", () => {
        writeFileSync(a, "12");
        writeFileSync(a, "123");
      }],
      ["replaced", () => {
        writeFileSync(join(home, "tmp"), "1234");
        renameSync(join(home, "tmp"), a);
      }],
      ["removed", () => rmSync(a)],
      ["made again", () => writeFileSync(a, "12345")],
    ];
    for (const [index, [what, step]] of steps.entries()) {
      step();
      await until(`a file that was ${what}`, () => count() > index);
      assert.equal(count(), index + 1, what);
    }
    end();
  });

  test("is silent about other files, and after its end", async (t) => {
    const home = folder(t, { "a.ts": "1", "other.ts": "1" });
    const { count, end } = watched(() => [join(home, "a.ts")]);
    const witness = watched(() => [join(home, "other.ts")]);
    writeFileSync(join(home, "other.ts"), "12");
    await until("the witness", () => witness.count() === 1);
    assert.equal(count(), 0);
    end();
    writeFileSync(join(home, "a.ts"), "12");
    writeFileSync(join(home, "other.ts"), "123");
    await until("the witness", () => witness.count() === 2);
    assert.equal(count(), 0);
    witness.end();
  });

  test("goes on when the folder is replaced", async (t) => {
    const home = folder(t, { "v1/a.ts": "1", "v2/a.ts": "12" });
    symlinkSync("v1", join(home, "live"));
    const { count, end } = watched(() => [join(home, "live/a.ts")]);
    symlinkSync("v2", join(home, "next"));
    renameSync(join(home, "next"), join(home, "live"));
    await until("the other folder", () => count() === 1);
    writeFileSync(join(home, "v2/a.ts"), "123");
    await until("a file in the other folder", () => count() === 2);
    rmSync(join(home, "v2"), { recursive: true });
    await until("the folder that is gone", () => count() === 3);
    mkdirSync(join(home, "v2"));
    writeFileSync(join(home, "v2/a.ts"), "1234");
    await until("the folder that is back", () => count() === 4);
    end();
  });

  test("sees any link on the way that is led elsewhere", async (t) => {
    const home = folder(t, { "v1/app/a.ts": "1", "v2/app/a.ts": "12", "v3/app/a.ts": "123" });
    // As deployments do it, and as Kubernetes mounts a ConfigMap.
    symlinkSync(join(home, "v1"), join(home, "latest"));
    symlinkSync("latest", join(home, "current"));
    symlinkSync("v1", join(home, "..data"));
    symlinkSync("..data/app/a.ts", join(home, "a.ts"));
    const lead = (name: string, to: string): void => {
      symlinkSync(to, join(home, "next"));
      renameSync(join(home, "next"), join(home, name));
    };
    const current = watched(() => [join(home, "current/app/a.ts")]);
    const mounted = watched(() => [join(home, "a.ts")]);
    lead("latest", join(home, "v2"));
    await until("the link behind the link", () => current.count() === 1);
    lead("current", "v3");
    await until("the link", () => current.count() === 2);
    assert.equal(mounted.count(), 0);
    lead("..data", "v2");
    rmSync(join(home, "v1"), { recursive: true });
    await until("the link beside the file", () => mounted.count() === 1);
    writeFileSync(join(home, "v2/app/a.ts"), "1");
    await until("the file behind it", () => mounted.count() === 2);
    current.end();
    mounted.end();
  });

  test("sees what editors and copies do, whatever the file looks like then", async (t) => {
    const home = folder(t, { "a.ts": "1" });
    const a = join(home, "a.ts");
    utimesSync(a, 1_000, 1_000);
    const { count, end } = watched(() => [a]);
    const steps: [string, () => void][] = [
      ["replaced, with its old one beside it", () => {
        renameSync(a, `${a}~`);
        writeFileSync(a, "2");
        utimesSync(a, 1_000, 1_000);
      }],
      ["put back", () => renameSync(`${a}~`, a)],
      ["written in its place, of the same size and time", () => {
        writeFileSync(a, "3");
        utimesSync(a, 1_000, 1_000);
      }],
      ["removed and written, of the same size and time", () => {
        rmSync(a);
        writeFileSync(a, "4");
        utimesSync(a, 1_000, 1_000);
      }],
    ];
    for (const [index, [what, step]] of steps.entries()) {
      step();
      await until(what, () => count() === index + 1);
    }
    end();
  });

  test("asks anew which files there are, after what it has told is done", async (t) => {
    const home = folder(t, { "a.ts": "1", "deep/b.ts": "1" });
    const files = [join(home, "a.ts")];
    let count = 0;
    const end = watchFiles(() => files, async () => {
      count++;
      await Promise.resolve();
      if (files.length === 1) files.push(join(home, "deep/b.ts"));
    });
    watches.add(end);
    writeFileSync(files[0]!, "12");
    await until("the first file", () => files.length === 2);
    // The folder of the second is watched as soon as the callback is done.
    await new Promise((resolve) => setTimeout(resolve, 0));
    writeFileSync(files[1]!, "12");
    await until("the second file", () => count === 2);
    end();
  });
});
