import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { messageOf, PorticoError } from "../core/errors.ts";
import { find, read } from "../manifest/load.ts";
import { schemaOf, shippedSchema } from "../manifest/plugin-schemas.ts";
import { sinkCatalog } from "../sinks/mod.ts";
import type { CallOf } from "../terminal/commands.ts";
import { print, printError } from "../terminal/output.ts";
import { renderRows } from "../values/problem.ts";

/**
 * Prints the JSON Schema of manifests for editors, or writes it to a file; of a manifest, with the
 * options of the plugins that it names.
 *
 * @returns 0.
 * @throws ManifestError when there is no such manifest, or one of its plugins is missing.
 */
export async function schema({ path, to }: CallOf<"schema">): Promise<number> {
  const { text, unknown } = path === undefined
    ? { text: await shippedSchema(sinkCatalog), unknown: [] }
    : await schemaOf(await read(find(resolve(path))), sinkCatalog, process.env);
  if (to === undefined) await print(text);
  else write(to, text);
  for (const name of unknown) {
    const why = "its schema has no JSON Schema (valibot, zod 4.2 and arktype 2.1.28 have)";
    await printError(`the options of ${name} are left open: ${why}\n`);
  }
  return 0;
}

function write(to: string, text: string): void {
  try {
    writeFileSync(to, text);
  } catch (error) {
    const expected = "--to FILE, in a folder that this user can write to";
    throw new PorticoError("USAGE", renderRows({ received: messageOf(error), expected }));
  }
}
