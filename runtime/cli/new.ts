import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { PorticoError } from "../core/errors.ts";
import { runtime, version } from "../daemon/version.ts";
import { type Flaw, folderName, nameFlaw } from "../scaffold/name.ts";
import { filesOf, type Project } from "../scaffold/project.ts";
import { checkFree, writeProject } from "../scaffold/write.ts";
import { sinkTypes } from "../sinks/mod.ts";
import { canAsk, Questions } from "../terminal/ask.ts";
import type { CallOf } from "../terminal/commands.ts";
import { print, printJson } from "../terminal/output.ts";
import { renderRows } from "../values/problem.ts";

type Call = CallOf<"new">;
type Answers = Pick<Project, "what" | "kind" | "name" | "registry">;

/** How a project's commands are given on each runtime. */
const COMMANDS: Readonly<Record<string, readonly [string, string, string]>> = {
  node: ["npm install", "npm test", "npm start"],
  bun: ["bun install", "bun test", "bun run start"],
  deno: ["deno install", "deno test -A", "deno task start"],
};

/**
 * Writes a folder with a plugin or a service that passes its own tests. On a terminal it asks for what
 * the call does not say.
 *
 * @returns 0; 1 when who was asked has gone.
 * @throws PorticoError USAGE for a name or a folder that cannot be had, and what does not go together.
 */
export async function create(call: Call): Promise<number> {
  const answers = await complete(call);
  if (answers === undefined) {
    await print("\nnothing was written\n");
    return 1;
  }
  const { what, name } = answers;
  const shown = call.dir ?? folderName(name);
  const home = resolve(shown);
  const { portico, missing = [] } = source(home);
  const files = filesOf({
    ...answers,
    license: licenseOf(call, answers),
    holder: call.holder ?? gitUser() ?? `the authors of ${name}`,
    version: version(),
    portico,
  });
  writeProject(home, shown, files);
  const [install, test, start] = COMMANDS[runtime().split(" ")[0]!]!;
  const next = [...missing, `cd ${quoted(shown)}`, install, test, start];
  if (call.json) await printJson({ what, name, folder: home, files: [...files.keys()], next });
  else {
    const lines = (items: readonly string[]) => items.map((item) => `  ${item}\n`).join("");
    await print(`${shown}: a ${what}, ${name}\n${lines([...files.keys()])}next:\n${lines(next)}`);
  }
  return 0;
}

/** What was said, asked for, or is meant by silence; undefined when who was asked has gone. */
async function complete(call: Call): Promise<Answers | undefined> {
  const said: Partial<Answers> = {
    ...(call.what !== undefined && { what: call.what }),
    ...(call.kind !== undefined && { kind: call.kind }),
    ...(call.name !== undefined && { name: call.name }),
    ...(call.registry !== undefined && { registry: call.registry }),
  };
  if (call.dir !== undefined) checkFree(resolve(call.dir), call.dir);
  if (call.yes || call.json || !canAsk()) return checked(call, said);
  const questions = new Questions();
  try {
    const what = said.what ?? await questions.ask({
      text: "What is it to be?",
      one: ["plugin", "service"],
      silent: "plugin",
    });
    if (what === undefined) return undefined;
    const kind = said.kind ?? await questions.ask({
      text: "Of which kind?",
      one: what === "plugin" ? ["handler", "sink", "http", "hono"] : ["handler", "http", "hono"],
      silent: "handler",
    });
    if (kind === undefined) return undefined;
    const name = said.name ?? await questions.ask({
      text: "The name of the package?",
      flaw: (answer) => flawText(flawOf(answer, { what, kind, registry: said.registry ?? "npm" })),
    });
    if (name === undefined) return undefined;
    // Only a name with a scope can go to JSR.
    const open = what === "plugin" && said.registry === undefined && name.startsWith("@");
    const registry = open
      ? await questions.ask({
        text: "Where will it be published?",
        one: ["npm", "jsr", "both"],
        silent: "npm",
        flaw: (registry) => flawText(flawOf(name, { what, kind, registry })),
      })
      : said.registry;
    if (open && registry === undefined) return undefined;
    return checked(call, { what, kind, name, ...(registry !== undefined && { registry }) });
  } finally {
    questions.close();
  }
}

function checked(
  call: Call,
  { what, kind = "handler", name, registry }: Partial<Answers>,
): Answers {
  if (what === undefined) {
    throw wrong({ received: "nothing after new", expected: "WHAT, one of plugin, service" });
  }
  if (name === undefined) {
    throw wrong({ received: `nothing after new ${what}`, expected: "NAME, of the package" });
  }
  if (what === "service" && kind === "sink") {
    const hint = "a sink is a plugin: portico new plugin NAME --kind sink";
    throw wrong({ received: '--kind "sink"', expected: "handler, http or hono", hint });
  }
  if (what === "service" && registry !== undefined) {
    const hint = "a service is not published: what others use is a plugin";
    throw wrong({ received: "--registry", expected: "no registry with new service", hint });
  }
  const answers = { what, kind, name, registry: registry ?? "npm" };
  if (call.license === "none" && answers.registry !== "npm") {
    const hint = "JSR takes what has a licence";
    throw wrong({ received: '--license "none"', expected: "MIT, Apache-2.0 or ISC", hint });
  }
  const flaw = flawOf(name, answers);
  if (flaw !== undefined) throw wrong(flaw);
  return answers;
}

function licenseOf({ license }: Call, { what }: Answers): Project["license"] {
  return license ?? (what === "plugin" ? "MIT" : "none");
}

function flawOf(name: string, answers: Omit<Answers, "name">): Flaw | undefined {
  return nameFlaw(name, answers, sinkTypes);
}

function flawText(flaw: Flaw | undefined): string | undefined {
  return flaw && [flaw.expected, ...(flaw.hint === undefined ? [] : [flaw.hint])].join("; ");
}

function wrong(flaw: Flaw): PorticoError {
  return new PorticoError("USAGE", renderRows(flaw));
}

/** A path as a word of a shell. */
function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

/** Who commits here, if git is there and knows. */
function gitUser(): string | undefined {
  try {
    const name = execFileSync("git", ["config", "user.name"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return name.trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Where the new package has Portico from: the registry; of a checkout what `npm pack` makes there. */
function source(home: string): { readonly portico: string; readonly missing?: readonly string[] } {
  const checkout = fileURLToPath(new URL("../..", import.meta.url).href);
  const compiled = !existsSync(join(checkout, "tsconfig.json"));
  if (compiled) return { portico: `^${version()}` };
  const tarball = join(checkout, `portico-${version()}.tgz`);
  const missing = existsSync(tarball) ? {} : { missing: [`(cd ${quoted(checkout)} && npm pack)`] };
  return { portico: `file:${relative(home, tarball)}`, ...missing };
}
