/** The plugins that come along, by their doc comments and their options. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { BUILT_IN } from "../../runtime/modules/resolve.ts";
import { code, table } from "./table.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url).href);
const text = (comment: string): string => comment.replace(/^ *\* ?/gm, "").trim();

function section(name: string): string {
  const source = readFileSync(`${ROOT}plugins/${name}.ts`, "utf8");
  const own = `${ROOT}plugins/${name}/options.ts`;
  const [, doc = ""] = /\/\*\*((?:(?!\*\/)[^])*)\*\/\s*export default/.exec(source) ?? [];
  const transports = /transports: \[([^\]]*)\]/.exec(source)![1]!.replaceAll('"', "");
  const options = [...(existsSync(own) ? readFileSync(own, "utf8") : source).matchAll(
    /\/\*\*((?:(?!\*\/)[^])*)\*\/\n {2,4}(\w+): v\./g,
  )].map(([, comment, option]) => [code(option!), text(comment!)]);
  const inline = /options: v\.strictObject\(\{ (\w+): v\.optional\(.*?, ([^)]+)\) \}\)/.exec(
    source,
  );
  if (inline !== null) options.push([code(inline[1]!), `${inline[2]} when silent`]);
  return [
    `## ${name}`,
    `Serves ${transports}.`,
    text(doc),
    ...(options.length > 0 ? [table(["option", "means"], options)] : ["It has no options."]),
  ].join("\n\n");
}

export function pluginsPage(): string {
  const intro =
    'A manifest names them as they are: `"plugin": "echo"`. They need no code of yours.';
  return ["# Plugins that come along", intro, ...BUILT_IN.map(section)].join("\n\n");
}
