/** The examples, by the heads of their manifests: what each is, needs, how it is run and tried. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url).href);

function section(name: string): string {
  const text = readFileSync(`${ROOT}examples/${name}/portico.json`, "utf8");
  const head = /^(?:\/\/.*\n)*/.exec(text)![0].replace(/^\/\/ ?/gm, "");
  const [what = "", ...rest] = head.trim().split("\n\n");
  const readme = existsSync(`${ROOT}examples/${name}/README.md`);
  return [
    `## ${name}`,
    what.replace(/\n/g, " "),
    ...(rest.length === 0 ? [] : [`\`\`\`text\n${rest.join("\n\n")}\n\`\`\``]),
    ...(readme ? [`More in \`examples/${name}/README.md\`.`] : []),
  ].join("\n\n");
}

export function examplesPage(): string {
  const names = globSync("examples/*/portico.json", { cwd: ROOT })
    .map((file) => file.replaceAll("\\", "/").split("/")[1]!).sort();
  const intro =
    "They lie in `examples/` of the repository. `npx portico run examples/NAME` runs one with Node," +
    " `bun run runtime examples/NAME` with Bun, `deno task serve examples/NAME` with Deno.";
  return ["# Examples", intro, ...names.map(section)].join("\n\n");
}
