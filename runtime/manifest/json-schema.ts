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
  const titled = { $schema, title: "Portico manifest", ...rest };
  return `${JSON.stringify(titled, null, 2)}\n`;
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
