/** Makes the JSON Schema of a manifest, for editors, from the schema that manifests are checked by. */
import { type ConversionConfig, type JsonSchema, toJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";
import { CHOICES } from "../values/fields.ts";
import type { SinkCatalog } from "../values/sink-catalog.ts";
import { loadAllParts } from "./parts.ts";
import { manifest, service, sink } from "./schema.ts";

/** A service has a plugin, or tells its peers apart. Whether it has to listen the whole manifest says. */
const SERVING: JsonSchema[] = [{ required: ["plugin"] }, { required: ["match", "listen"] }];

/** They may all stand in files of their own. */
const SERVICES: JsonSchema[] = [{ required: ["services"] }, { required: ["includedir"] }];

type SinkSchemas = SinkCatalog["schemas"];

/** What plugins' options look like, by what a manifest calls the plugin; undefined: anything. */
export interface Described {
  readonly plugins: ReadonlyMap<string, JsonSchema | undefined>;
  /** Types of sinks that are plugins, likewise. */
  readonly sinks: ReadonlyMap<string, JsonSchema | undefined>;
}

/**
 * The JSON Schema as text, as the file holds it.
 *
 * @param catalog the types of sinks that come along.
 */
export async function jsonSchema(
  { schemas }: Pick<SinkCatalog, "schemas">,
  described: Described,
): Promise<string> {
  await loadAllParts();
  const { $schema, ...rest } = toJsonSchema(manifest, configOf(schemas, described));
  const titled = {
    $schema,
    title: "Portico manifest",
    ...withVariables(rest),
    definitions: { variable: VARIABLE },
  };
  return `${JSON.stringify(titled, null, 2)}\n`;
}

/** A variable may stand for any value. */
const VARIABLE = {
  type: "string" as const,
  pattern: "\\$\\{[A-Za-z_]\\w*(:-.*)?\\}",
  description: "a variable of the environment: ${NAME} or ${NAME:-default}",
};
const REFERENCE: JsonSchema = { $ref: "#/definitions/variable" };

/** Lets variables stand where numbers, booleans, and texts of a certain form are wanted. */
function withVariables(schema: JsonSchema): JsonSchema {
  if (isNarrow(schema)) {
    const { description, ...narrow } = schema;
    return { ...(description !== undefined && { description }), anyOf: [narrow, REFERENCE] };
  }
  const entries = Object.entries(schema).map(([key, value]) => {
    if (key === "properties") return [key, mapValues(value as Record<string, JsonSchema>)];
    if (key === "items" || key === "additionalProperties" || key === "then") {
      return [key, below(value)];
    }
    if (key === "allOf") return [key, (value as JsonSchema[]).map(below)];
    return [key, key === "anyOf" ? alternatives(value as JsonSchema[]) : value];
  });
  return Object.fromEntries(entries) as JsonSchema;
}

const below = (value: unknown): unknown =>
  typeof value === "object" && value !== null ? withVariables(value as JsonSchema) : value;

const mapValues = (schemas: Record<string, JsonSchema>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(schemas).map(([key, value]) => [key, below(value)]));

/** One for all of them. */
function alternatives(schemas: readonly JsonSchema[]): unknown[] {
  const narrow = schemas.some(isNarrow);
  return [
    ...schemas.map((each) => isNarrow(each) ? each : below(each)),
    ...(narrow ? [REFERENCE] : []),
  ];
}

/** What a text with a variable in it would not pass. */
function isNarrow({ type, pattern, enum: words, const: word }: JsonSchema): boolean {
  if (type === "string") return pattern !== undefined || words !== undefined;
  if (word !== undefined) return typeof word === "boolean";
  return words !== undefined || type === "number" || type === "integer" || type === "boolean";
}

function configOf(schemas: SinkSchemas, described: Described): ConversionConfig {
  const config: ConversionConfig = {
    typeMode: "input",
    target: "draft-07",
    // What a check refuses beyond the pattern (a duration that is too long) an editor need not know.
    ignoreActions: ["check"],
    overrideSchema({ valibotSchema, jsonSchema }) {
      if (valibotSchema === service) {
        return { ...withPlugins(jsonSchema, described.plugins), anyOf: SERVING };
      }
      if (valibotSchema === manifest) {
        const { required: _, ...rest } = jsonSchema;
        return { ...rest, anyOf: SERVICES };
      }
      const options = CHOICES.get(valibotSchema);
      if (options !== undefined) return { anyOf: options.map((option) => convert(option, config)) };
      return valibotSchema.reference === v.looseObject
        ? anySink(schemas, described.sinks, config)
        : undefined;
    },
  };
  return config;
}

function convert(schema: v.GenericSchema, config: ConversionConfig): JsonSchema {
  const { $schema: _, ...converted } = toJsonSchema(schema, config);
  return converted;
}

/** A plugin's name says what `options` may be, and editors offer those that are known. */
function withPlugins(schema: JsonSchema, plugins: Described["plugins"]): JsonSchema {
  const known = [...plugins].flatMap(([name, options]) =>
    options === undefined ? [] : [[name, options] as const]
  );
  const { plugin, ...properties } = schema.properties as Record<string, JsonSchema>;
  const { description, ...text } = plugin!;
  return {
    ...schema,
    properties: {
      plugin: {
        ...(description !== undefined && { description }),
        anyOf: [{ enum: [...plugins.keys()] }, text],
      },
      ...properties,
    },
    allOf: known.map(([name, options]) => ({
      if: { properties: { plugin: { const: name } }, required: ["plugin"] },
      then: { properties: { options } },
    })),
  };
}

/** A sink takes what its type takes. */
function anySink(
  schemas: SinkSchemas,
  plugins: Described["sinks"],
  config: ConversionConfig,
): JsonSchema {
  const { type: name, ...policies } = sink.entries;
  const common = Object.fromEntries(
    Object.entries(policies).map(([key, schema]) => [key, convert(schema, config)]),
  );
  const typed = (
    type: string,
    { properties, required = [], additionalProperties = false }: JsonSchema,
  ) => ({
    type: "object" as const,
    properties: { type: { const: type }, ...common, ...properties },
    required: ["type", ...required],
    additionalProperties,
  });
  const own = [
    ...Object.entries(schemas).map(([type, schema]) => typed(type, convert(schema, config))),
    ...[...plugins].map(([type, options]) =>
      typed(type, options ?? { additionalProperties: true })
    ),
  ];
  // A name of "sinks", or the type of a plugin: what that takes is its own affair.
  const other = {
    type: "object" as const,
    properties: {
      type: {
        ...convert(name, config),
        not: { enum: [...Object.keys(schemas), ...plugins.keys()] },
      },
      ...common,
    },
    required: ["type"],
  };
  return { anyOf: [...own, other] };
}
