/**
 * Makes `runtime/portico.schema.json`, for editors, from the schema that the manifest is checked by.
 * `npm run schema` writes it; a test compares it.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type ConversionConfig, type JsonSchema, toJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";
import { SINK_TYPES } from "../sinks/types.ts";
import { CHOICES } from "../values/fields.ts";
import { manifest, service, sink } from "./schema.ts";

/** Where the generated schema lies. */
export const FILE: string = fileURLToPath(
  new URL("../portico.schema.json", import.meta.url).href,
);

/** A service has to say where it listens, but for the admin. */
const LISTENING: JsonSchema[] = [
  { required: ["listen"] },
  { properties: { plugin: { const: "admin" } } },
];

const CONFIG: ConversionConfig = {
  typeMode: "input",
  target: "draft-07",
  // What a check refuses beyond the pattern (a duration that is too long) an editor need not know.
  ignoreActions: ["check"],
  overrideSchema({ valibotSchema, jsonSchema }) {
    if (valibotSchema === service) return { ...jsonSchema, anyOf: LISTENING };
    const options = CHOICES.get(valibotSchema);
    if (options !== undefined) return { anyOf: options.map(convert) };
    return valibotSchema.reference === v.looseObject ? sinks() : undefined;
  },
};

function convert(schema: v.GenericSchema): JsonSchema {
  const { $schema: _, ...converted } = toJsonSchema(schema, CONFIG);
  return converted;
}

/** A sink takes what its type takes. */
function sinks(): JsonSchema {
  const { type: name, ...policies } = sink.entries;
  const common = Object.fromEntries(
    Object.entries(policies).map(([key, schema]) => [key, convert(schema)]),
  );
  const own = Object.entries(SINK_TYPES).map(([type, { schema }]) => {
    const { properties, required = [] } = convert(schema);
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
      type: { ...convert(name), not: { enum: Object.keys(SINK_TYPES) } },
      ...common,
    },
    required: ["type"],
  };
  return { anyOf: [...own, other] };
}

/** The JSON Schema as text, as the file holds it. */
export function jsonSchema(): string {
  const { $schema, ...rest } = toJsonSchema(manifest, CONFIG);
  const titled = { $schema, title: "Portico manifest", ...rest };
  return `${JSON.stringify(titled, null, 2)}\n`;
}

if (import.meta.main) writeFileSync(FILE, jsonSchema());
