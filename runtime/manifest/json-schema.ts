/** Makes the JSON Schema of a manifest, for editors, from the schema that manifests are checked by. */
import { type ConversionConfig, type JsonSchema, toJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";
import { CHOICES } from "../values/fields.ts";
import type { SinkCatalog } from "../values/sink-catalog.ts";
import { manifest, service, sink } from "./schema.ts";

/** A service has to say where it listens, but for the admin. */
const LISTENING: JsonSchema[] = [
  { required: ["listen"] },
  { properties: { plugin: { const: "admin" } } },
];

type SinkSchemas = SinkCatalog["schemas"];

/**
 * The JSON Schema as text, as the file holds it.
 *
 * @param sinks the types of sinks that come along.
 */
export function jsonSchema({ schemas }: Pick<SinkCatalog, "schemas">): string {
  const { $schema, ...rest } = toJsonSchema(manifest, configOf(schemas));
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
    if (key === "items" || key === "additionalProperties") return [key, below(value)];
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

function configOf(schemas: SinkSchemas): ConversionConfig {
  const config: ConversionConfig = {
    typeMode: "input",
    target: "draft-07",
    // What a check refuses beyond the pattern (a duration that is too long) an editor need not know.
    ignoreActions: ["check"],
    overrideSchema({ valibotSchema, jsonSchema }) {
      if (valibotSchema === service) return { ...jsonSchema, anyOf: LISTENING };
      const options = CHOICES.get(valibotSchema);
      if (options !== undefined) return { anyOf: options.map((option) => convert(option, config)) };
      return valibotSchema.reference === v.looseObject ? anySink(schemas, config) : undefined;
    },
  };
  return config;
}

function convert(schema: v.GenericSchema, config: ConversionConfig): JsonSchema {
  const { $schema: _, ...converted } = toJsonSchema(schema, config);
  return converted;
}

/** A sink takes what its type takes. */
function anySink(schemas: SinkSchemas, config: ConversionConfig): JsonSchema {
  const { type: name, ...policies } = sink.entries;
  const common = Object.fromEntries(
    Object.entries(policies).map(([key, schema]) => [key, convert(schema, config)]),
  );
  const own = Object.entries(schemas).map(([type, schema]) => {
    const { properties, required = [] } = convert(schema, config);
    return {
      type: "object" as const,
      properties: { type: { const: type }, ...common, ...properties },
      required: ["type", ...required],
      additionalProperties: false,
    };
  });
  // A name of "sinks", or the type of a plugin: what that takes is its own affair.
  const other = {
    type: "object" as const,
    properties: {
      type: { ...convert(name, config), not: { enum: Object.keys(schemas) } },
      ...common,
    },
    required: ["type"],
  };
  return { anyOf: [...own, other] };
}
