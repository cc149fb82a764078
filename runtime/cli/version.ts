import { runtime, version } from "../daemon/version.ts";
import { print, printJson } from "../terminal/output.ts";

/** Tells Portico's version, and the runtime's. @returns 0. */
export async function printVersion(json: boolean): Promise<number> {
  const versions = { version: version(), runtime: runtime() };
  await (json ? printJson(versions) : print(`portico ${versions.version} (${versions.runtime})\n`));
  return 0;
}
