import type { Manifest } from "./schema.ts";

/** Returns its argument: for the types of a `portico.ts`. */
export function defineManifest(manifest: Manifest): Manifest {
  return manifest;
}
