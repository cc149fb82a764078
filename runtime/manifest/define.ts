import type { Manifest } from "./manifest.ts";

/** Returns its argument: for the types of a `portico.ts`. */
export function defineManifest(manifest: Manifest): Manifest {
  return manifest;
}
