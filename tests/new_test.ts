/** `portico new`: names, the files of every kind of project, and the call itself. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { folderName, nameFlaw, pluginName } from "../runtime/scaffold/name.ts";
import { filesOf, type Project } from "../runtime/scaffold/project.ts";
import { writeProject } from "../runtime/scaffold/write.ts";
import { sinkTypes } from "../runtime/sinks/mod.ts";
import { command, MAIN, portico } from "./support/command.ts";
import { folder } from "./support/folder.ts";
import { lackingPrograms } from "./support/packages.ts";
import { Program } from "./support/program.ts";

const PLUGIN = { what: "plugin", kind: "handler", registry: "npm" } as const;
const ours = JSON.parse(
  readFileSync(fileURLToPath(new URL("../package.json", import.meta.url).href), "utf8"),
);

describe("nameFlaw", () => {
  for (const name of ["shout", "portico-plugin-shout", "@you/shout", "a1.b_c"]) {
    test(`takes ${name}`, () => assert.equal(nameFlaw(name, PLUGIN, sinkTypes), undefined));
  }
  const wrong: [string, RegExp, string?][] = [
    ["Shout", /npm takes: .*capital/, 'did you mean "shout"?'],
    ["my plugin", /npm takes: .*URL-friendly/, 'did you mean "my-plugin"?'],
    [".hidden", /npm takes: .*period/, 'did you mean "hidden"?'],
    ["fs", /npm takes: .*core module/],
    ["node_modules", /npm takes/],
    ["x".repeat(215), /npm takes: .*214/],
    ["../shout", /npm takes/],
    ["@you", /npm takes/],
    ["", /npm takes/],
    ["portico", /another name than that of what it depends on/],
    ["echo", /in a manifest "echo" is the one that comes along/, "portico-plugin-echo"],
  ];
  for (const [name, expected, hint] of wrong) {
    test(`refuses ${JSON.stringify(name.slice(0, 20))}`, () => {
      const flaw = nameFlaw(name, PLUGIN, sinkTypes)!;
      assert.match(flaw.expected, expected);
      if (hint !== undefined) assert.ok(flaw.hint?.startsWith(hint), String(flaw.hint));
    });
  }
  test("a sink may be called as a handler that comes along is, and not as a sink", () => {
    const sink = { ...PLUGIN, kind: "sink" } as const;
    assert.equal(nameFlaw("echo", sink, sinkTypes), undefined);
    assert.match(nameFlaw("syslog", sink, sinkTypes)!.expected, /comes along/);
    assert.equal(nameFlaw("echo", { ...PLUGIN, what: "service" }, sinkTypes), undefined);
  });
  test("JSR takes names with a scope, of letters, digits and hyphens", () => {
    const flaw = (name: string, registry: "jsr" | "both") =>
      nameFlaw(name, { ...PLUGIN, registry }, sinkTypes)?.expected;
    assert.equal(flaw("@you/shout-2", "jsr"), undefined);
    assert.match(flaw("shout", "both")!, /a scope/);
    assert.match(flaw("@you/a.b", "jsr")!, /a-z, 0-9 and -/);
    assert.match(flaw(`@you/${"x".repeat(59)}`, "jsr")!, /58/);
    assert.match(flaw("@you/x_y", "both")!, /a-z, 0-9 and -/);
  });
});

test("a plugin is named as its package, without scope and prefix", () => {
  const names = ["shout", "@you/portico-plugin-shout", "portico-shout", "@you/a.b"];
  assert.deepEqual(names.map(pluginName), ["shout", "shout", "shout", "a-b"]);
  assert.deepEqual(names.map(folderName), [
    "shout",
    "portico-plugin-shout",
    "portico-shout",
    "a.b",
  ]);
});

const PROJECT: Project = {
  ...PLUGIN,
  name: "@you/portico-plugin-tried",
  license: "MIT",
  holder: 'A "quoted" \\ holder',
  version: ours.version,
  portico: `^${ours.version}`,
};

/** Every project that can be asked for. */
const PROJECTS: readonly Project[] = [
  ...(["handler", "sink", "http", "hono"] as const).flatMap((kind) =>
    (["npm", "jsr", "both"] as const).map((registry) => ({ ...PROJECT, kind, registry }))
  ),
  ...(["handler", "http", "hono"] as const).map((kind) => (
    { ...PROJECT, what: "service", kind, name: "tried", license: "none" } as const
  )),
];

describe("the files of a project", () => {
  for (const project of PROJECTS) {
    test(`${project.what} ${project.kind}, ${project.registry}: whole, with its names in it`, () => {
      const files = filesOf(project);
      const json = (path: string) => JSON.parse(files.get(path)!);
      for (const [path, text] of files) {
        assert.doesNotMatch(text, /__\w+__/, path);
        assert.doesNotMatch(path, /(?:^|\/)_/);
        if (path.endsWith(".json")) json(path);
      }
      for (
        const path of [
          ...["README.md", "package.json", "deno.json", "tsconfig.json", "portico.json"],
          ...["src/mod.ts", ".gitignore", ".github/workflows/check.yml"],
        ]
      ) assert.ok(files.has(path), path);
      assert.ok(files.get("README.md")!.includes(project.name), "it is named");
      assert.match(files.get("README.md")!, /^# `[^`*]+`$/m);
      const published = project.what === "plugin";
      assert.equal(files.has("LICENSE"), published);
      assert.equal(files.has(".github/workflows/publish.yml"), published);
      const { name, version, keywords, portico, ...rest } = json("package.json");
      assert.equal(name, project.name);
      assert.deepEqual(rest.engines, ours.engines);
      assert.equal(keywords?.includes("portico-plugin"), published || undefined);
      assert.deepEqual(portico, published ? { api: 1 } : undefined);
      // What it asks for is what Portico itself is tested with.
      const known = { ...ours.dependencies, ...ours.devDependencies, portico: ours.version };
      for (
        const [name, range] of Object.entries({ ...rest.dependencies, ...rest.devDependencies })
      ) {
        assert.equal(range, `^${known[name]}`, name);
      }
      const deno = json("deno.json");
      if (project.registry === "npm") return assert.equal(deno.name, undefined);
      assert.deepEqual([deno.name, deno.version, deno.license], [name, version, "MIT"]);
      assert.equal(deno.imports.portico, `npm:portico@^${ours.version}`);
      for (const [name, range] of Object.entries(rest.dependencies)) {
        assert.equal(deno.imports[name], `npm:${name}@${range}`);
      }
    });
  }
  test("the licence says who holds the copyright, and since when", () => {
    for (const license of ["MIT", "Apache-2.0", "ISC"] as const) {
      const text = filesOf({ ...PROJECT, license }).get("LICENSE")!;
      assert.ok(text.includes(`${new Date().getFullYear()} ${PROJECT.holder}`), license);
    }
    assert.equal(filesOf({ ...PROJECT, license: "none" }).get("LICENSE"), undefined);
  });
});

test("of a project that cannot be written whole nothing is left, but what was there", (t) => {
  const home = folder(t, { ".git/config": "" });
  // As on a disk that is full.
  const files = new Map([["a", "1"], ["b/c", "2"], [`b/${"n".repeat(300)}`, "3"]]);
  for (const place of [home, join(home, ".git/new/deep")]) {
    assert.throws(() => writeProject(place, place, files), { name: "PorticoError" });
  }
  assert.deepEqual([readdirSync(home), readdirSync(join(home, ".git"))], [[".git"], ["config"]]);
});

describe("portico new", () => {
  test("writes a plugin where it is told to, and says what comes next", async (t) => {
    const home = folder(t, {});
    const { code, out, err } = await portico("new", "plugin", "shout", "--dir", join(home, "a/b"));
    assert.deepEqual([code, err], [0, ""]);
    assert.match(
      out,
      /^\S+a\/b: a plugin, shout\n {2}\.github.*\n {2}src\/mod\.ts\n.*next:\n.*install\n/s,
    );
    assert.match(readFileSync(join(home, "a/b/src/mod.ts"), "utf8"), /name: "shout",/);
    assert.equal(statSync(join(home, "a/b/.gitignore")).isFile(), true);
  });

  test("tells what it wrote as JSON, into a folder with nothing but a repository", async (t) => {
    const home = folder(t, {});
    mkdirSync(join(home, ".git"));
    const told = await portico(
      "new",
      "service",
      "tried",
      "--kind",
      "http",
      "--dir",
      home,
      "--json",
    );
    const { what, name, folder: where, files, next } = JSON.parse(told.out);
    assert.deepEqual([told.code, what, name, where], [0, "service", "tried", home]);
    const written = readdirSync(home, { recursive: true, encoding: "utf8" })
      .filter((path) => statSync(join(home, path)).isFile());
    assert.deepEqual([...written].sort(), files);
    assert.match(next.at(-1), /start$/);
  });

  test("writes into no folder that has something, and over no file", async (t) => {
    const home = folder(t, { "full/mine.txt": "mine", file: "" });
    for (
      const [dir, said] of [["full", /has mine\.txt/], ["file", /is a file/], [
        "file/x",
        /below one/,
      ]] as const
    ) {
      const { code, out, err } = await portico("new", "plugin", "shout", "--dir", join(home, dir));
      assert.deepEqual([code, out], [2, ""]);
      assert.match(err, said);
      assert.match(
        err,
        /expected {2}a folder that is not there yet, or is empty\n {2}hint {6}--dir/,
      );
    }
    assert.deepEqual(readdirSync(join(home, "full")), ["mine.txt"]);
  });

  const wrong: [string, RegExp][] = [
    ["new", /received {2}nothing after new\n.*one of plugin, service/s],
    ["new plugni x", /one of plugin, service\n.*did you mean "plugin"/s],
    ["new plugin", /nothing after new plugin\n {2}expected {2}NAME/],
    ["new plugin Shout", /received {2}"Shout"\n.*capital.*did you mean "shout"/s],
    ["new plugin x --kind snik", /--kind "snik"\n.*did you mean "sink"/s],
    ["new plugin shout --registry jsr", /a scope.*@you\/shout/s],
    ["new plugin @you/x --registry both --license none", /JSR takes what has a licence/],
    ["new service x --kind sink", /a sink is a plugin/],
    ["new service x --registry npm", /a service is not published/],
    ["new plugin x y", /nothing after "x"/],
  ];
  for (const [words, said] of wrong) {
    test(`refuses: portico ${words}`, async (t) => {
      const home = folder(t, {});
      const dir = words === "new" ? [] : ["--dir", join(home, "x")];
      const { code, out, err } = await portico(...words.split(" "), ...dir);
      assert.deepEqual([code, out], [2, ""]);
      assert.match(err, /^error: the call is wrong\n\n/);
      assert.match(err, said);
      assert.deepEqual(readdirSync(home), []);
    });
  }

  test("on a terminal it asks for what is missing, again where the answer is wrong", {
    skip: lackingPrograms("script"),
  }, async (t) => {
    const home = folder(t, {});
    const dialog = onTerminal(t, home, "new", "--holder", "me");
    await dialog.says("What is it to be? (plugin, service) [plugin]");
    dialog.send("\n");
    await dialog.says("Of which kind?");
    dialog.send("http\n");
    await dialog.says("The name of the package?");
    dialog.send("Shout\n");
    await dialog.says('did you mean "shout"?');
    dialog.send("@you/shout\n");
    await dialog.says("Where will it be published? (npm, jsr, both) [npm]");
    dialog.send("bun\n");
    await dialog.says("one of npm, jsr, both");
    dialog.send("both\n");
    await dialog.ended();
    assert.match(dialog.text, /shout: a plugin, @you\/shout/);
    assert.equal(
      JSON.parse(readFileSync(join(home, "shout/deno.json"), "utf8")).name,
      "@you/shout",
    );
  });

  test("on a terminal --yes asks nothing; who goes away gets nothing", {
    skip: lackingPrograms("script"),
  }, async (t) => {
    const home = folder(t, {});
    const silent = onTerminal(t, home, "new", "plugin", "shout", "-y", "--holder", "me");
    await silent.ended();
    assert.doesNotMatch(silent.text, /\?/);
    assert.deepEqual(readdirSync(home), ["shout"]);
    const gone = onTerminal(t, home, "new", "plugin", "other");
    await gone.says("Of which kind?");
    gone.send("\x04");
    await gone.ended();
    assert.match(gone.text, /nothing was written/);
    assert.deepEqual(readdirSync(home), ["shout"]);
  });
});

/** The command on a terminal of its own. */
function onTerminal(
  t: Parameters<typeof folder>[0],
  home: string,
  ...words: readonly string[]
): Program {
  const [program, args] = command(MAIN, ...words);
  const line = [program, ...args].map((word) => `'${word}'`).join(" ");
  return new Program(t, home, "script", "-qefc", line, "/dev/null");
}

test("check tells the package of a plugin, and what its package.json leaves unsaid", async (t) => {
  const text =
    `export default { name: "x", transports: ["stream"], start: () => ({ data() {} }) };`;
  const service = (plugin: string) => ({ plugin, listen: "tcp://127.0.0.1:0" });
  const home = folder(t, {
    "portico.json": JSON.stringify({
      services: { bare: service("bare"), whole: service("whole") },
    }),
    "node_modules/bare/package.json": JSON.stringify({
      name: "bare",
      version: "1.2.0",
      exports: "./x.mjs",
    }),
    "node_modules/bare/x.mjs": text,
    "node_modules/whole/x.mjs": text,
  });
  writeFileSync(
    join(home, "node_modules/whole/package.json"),
    JSON.stringify({
      ...{ name: "whole", version: "2.0.0", exports: "./x.mjs" },
      ...{ keywords: ["portico-plugin"], portico: { api: 1 } },
    }),
  );
  const { code, out } = await portico("check", home);
  assert.equal(code, 0);
  assert.match(
    out,
    /^ok +bare .*package bare 1\.2\.0 +its package\.json lacks the keyword "portico-plugin" and "portico": \{ "api": 1 \}$/m,
  );
  assert.match(out, /^ok +whole .*package whole 2\.0\.0$/m);
});
