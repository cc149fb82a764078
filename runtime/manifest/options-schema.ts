/** The JSON Schema of a plugin's options, in the ways in which schema libraries have one. */
import { type JsonSchema, toJsonSchema } from "@valibot/to-json-schema";
import type * as v from "valibot";
import type { StandardSchema } from "../core/plugin.ts";

/** Standard JSON Schema (https://standardschema.dev/json-schema), as zod 4.2 and arktype 2.1.28 have it. */
interface StandardJsonSchema {
  readonly jsonSchema?: {
    readonly input: (how: { readonly target: "draft-07" }) => Readonly<Record<string, unknown>>;
  };
}

/** What options look like; undefined where the schema cannot say it, or fails to. */
export function optionsSchema(options: StandardSchema | undefined): JsonSchema | undefined {
  if (options === undefined) return { type: "object", additionalProperties: false };
  const { vendor, jsonSchema } = options["~standard"] as
    & StandardSchema["~standard"]
    & StandardJsonSchema;
  try {
    const { $schema: _, ...schema } = jsonSchema !== undefined
      ? jsonSchema.input({ target: "draft-07" })
      : vendor === "valibot"
      ? toJsonSchema(options as unknown as v.GenericSchema, {
        typeMode: "input",
        target: "draft-07",
        // What a check refuses beyond its type is told by portico check.
        errorMode: "ignore",
      })
      : {};
    return Object.keys(schema).length === 0 ? undefined : schema as JsonSchema;
  } catch {
    return undefined;
  }
}
