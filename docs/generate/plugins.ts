/** The plugins that come along, by their doc comments and their options. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { BUILT_IN } from "../../runtime/modules/resolve.ts";
import { code, table } from "./table.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url).href);
const text = (comment: string): string => comment.replace(/^ *\* ?/gm, "").trim();

/** What of an option the schema for editors says. */
interface Option {
  readonly description?: string;
  readonly default?: unknown;
  readonly anyOf?: readonly Option[];
}

/** The options of each plugin by its name, as the shipped schema has them. */
function optionsByPlugin(): ReadonlyMap<string, Readonly<Record<string, Option>>> {
  const schema = JSON.parse(readFileSync(`${ROOT}runtime/portico.schema.json`, "utf8"));
  const cases = schema.properties.services.additionalProperties.allOf as readonly {
    if: { properties: { plugin: { const: string } } };
    then: { properties: { options: { properties?: Record<string, Option> } } };
  }[];
  return new Map(cases.map((one) => [
    one.if.properties.plugin.const,
    one.then.properties.options.properties ?? {},
  ]));
}

function meaning({ description = "", anyOf = [], ...own }: Option): string {
  const silent = own.default ?? anyOf.find((one) => one.default !== undefined)?.default;
  // What is written in this place of a long list or an object says nothing.
  const shown = typeof silent === "object" ? undefined : silent;
  return shown === undefined ? description : `${description}; ${shown} when silent`;
}

function section(name: string, given: Readonly<Record<string, Option>>): string {
  const source = readFileSync(`${ROOT}plugins/${name}.ts`, "utf8");
  const [, doc = ""] = /\/\*\*((?:(?!\*\/)[^])*)\*\/\s*const \w+: Plugin</.exec(source) ?? [];
  const transports = /transports: \[([^\]]*)\]/.exec(source)![1]!.replaceAll('"', "");
  const options = Object.entries(given).map(([option, schema]) => [code(option), meaning(schema)]);
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
  const options = optionsByPlugin();
  const sections = BUILT_IN.map((name) => section(name, options.get(name)!));
  return ["# Plugins that come along", intro, ...sections].join("\n\n");
}
