/** The keys of a manifest, from its JSON Schema. */
import { jsonSchema } from "../../runtime/manifest/json-schema.ts";
import { LIMITS } from "../../runtime/manifest/limits.ts";
import { sinkCatalog } from "../../runtime/sinks/mod.ts";
import { code, table } from "./table.ts";

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly $ref?: string;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly required?: readonly string[];
}

/** What kinds of values a schema takes, as words. Variables go without saying. */
function kinds(schema: Schema): string {
  if (schema.$ref !== undefined) return "";
  if (schema.anyOf !== undefined) {
    return [...new Set(schema.anyOf.map(kinds).filter((kind) => kind !== ""))].join(" or ");
  }
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  if (schema.enum !== undefined) {
    return schema.enum.map((value) => code(JSON.stringify(value))).join(" or ");
  }
  if (schema.type === "array") return `list of ${kinds(schema.items ?? {}) || "values"}`;
  return { string: "text", integer: "number", object: "object" }[schema.type ?? ""] ??
    schema.type ?? "any value";
}

/** The object among the alternatives. */
function objectOf(schema: Schema): Schema {
  return schema.type === "object" ? schema : schema.anyOf!.find(({ type }) => type === "object")!;
}

const WORDS: Readonly<Record<string, (value: number) => string>> = {
  writeBuffer: (value) => `${value / 1024 ** 2}MiB`,
};

function silent(limit: string): string {
  const value: unknown = LIMITS[limit as keyof typeof LIMITS];
  if (limit === "datagramRate") return "the plugin's own";
  if (limit === "stall") return "30s of `processes` and `spawn`";
  if (value === Infinity || typeof value === "object") return "no limit";
  if (typeof value === "number") return code(WORDS[limit]?.(value) ?? `${value / 1000}s`);
  return code(String(value));
}

function keys({ properties = {}, required = [] }: Schema, extra?: (key: string) => string): string {
  const head = ["key", "takes", "means", ...(extra === undefined ? [] : ["when silent"])];
  return table(
    head,
    Object.entries(properties).map(([key, schema]) => [
      code(key) + (required.includes(key) ? " (needed)" : ""),
      kinds(schema),
      schema.description ?? "",
      ...(extra === undefined ? [] : [extra(key)]),
    ]),
  );
}

const manifest = JSON.parse(
  await jsonSchema(sinkCatalog, { plugins: new Map(), sinks: new Map() }),
) as Schema;

export function manifestPage(): string {
  const part = (of: Schema, key: string): Schema => of.properties![key]!;
  const service = part(manifest, "services").additionalProperties as Schema;
  const listener = objectOf(part(service, "listen"));
  const sinks = (part(manifest, "sinks").additionalProperties as Schema).anyOf!;
  const policies = Object.keys(sinks.at(-1)!.properties!);
  const strategies = part(service, "concurrency").anyOf!
    .flatMap((one) => one.anyOf ?? [one]).filter(({ type }) => type === "object");
  return [
    "# Manifest keys",
    "A manifest is `portico.json` or `portico.jsonc` (comments and trailing commas are welcome), or" +
    " `portico.ts` with `export default defineManifest({…})`. Paths are relative to it; `${NAME}` and" +
    ' `${NAME:-default}` are the environment\'s. Durations are `"250ms"`, `"30s"`, `"5m"`, `"1h"` or' +
    ' milliseconds, sizes `"64KiB"`, `"10MB"` or bytes. For your editor:' +
    ' `"$schema": "./node_modules/portico/dist/runtime/portico.schema.json"`.',
    "## The manifest",
    keys(manifest),
    "## A service",
    keys(service),
    "## listen",
    "An endpoint as text: `tcp://HOST:PORT`, `udp://HOST:PORT`, `unix:PATH`, `unixgram:PATH`," +
    " `http://HOST:PORT`, `http+unix:PATH`, `systemd:NAME`, `fd:N`, `stdio:`; or an object with it and" +
    " [socket options](./socket-options.md); or a list of these. HOST is an address, a name, `*` for all," +
    " `[::1]`; port 0 asks the kernel, `7000-7009` is ten; `unix:@NAME` is Linux's abstract namespace.",
    keys(listener),
    "## concurrency",
    "One word, or an object:",
    table(
      ["strategy", "takes beside it"],
      strategies.map((one) => {
        const { strategy, ...rest } = one.properties!;
        const own = Object.entries(rest).map(([key, { description }]) =>
          `${code(key)}: ${description}`
        );
        return [code(String(strategy!.const ?? strategy!.enum?.[0])), own.join("; ") || "nothing"];
      }),
    ),
    "## limits",
    keys(part(service, "limits"), silent),
    "## access",
    keys(part(service, "access")),
    "## log, sinks",
    "`log` is the name of a type or of one of `sinks`, an object with `type`, or a list of these. Every" +
    " reference takes:",
    keys(sinks.at(-1)!),
    ...sinks.slice(0, -1).flatMap((sink) => {
      const own = Object.entries(sink.properties!).filter(([key]) => !policies.includes(key));
      const type = sink.properties!["type"]!.const as string;
      const { required = [] } = sink;
      return [
        `### ${type}`,
        own.length === 0
          ? "It takes nothing more."
          : keys({ properties: Object.fromEntries(own), required }),
      ];
    }),
  ].join("\n\n");
}
