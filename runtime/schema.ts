/** Writes the JSON Schema of manifests, for editors: `npm run schema`. A test compares it. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { shippedSchema } from "./manifest/plugin-schemas.ts";
import { sinkCatalog } from "./sinks/mod.ts";

/** Where it lies. */
const FILE = fileURLToPath(new URL("./portico.schema.json", import.meta.url).href);

writeFileSync(FILE, await shippedSchema(sinkCatalog));
