/** The command: reads the call, loads what it needs and no more. */
import { parseCall } from "./args.ts";
import { fail } from "./failure.ts";
import { print, printJson } from "./output.ts";

/**
 * Runs one call of `portico`.
 *
 * @param argv the words after the program's name.
 * @returns the exit code: 0 clean, 1 it could not run, 2 the manifest or the call is wrong.
 */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    const { command, path, json } = parseCall(argv);
    switch (command) {
      case "run":
        return await (await import("./run.ts")).run(path, json);
      case "check":
        return await (await import("./check.ts")).check(path, json);
      case "doctor":
        return await (await import("./doctor.ts")).doctor(json);
      case "help":
        await print((await import("./help.ts")).HELP);
        return 0;
      case "version": {
        const { runtime, version } = await import("./version.ts");
        const versions = { version: version(), runtime: runtime() };
        await (json
          ? printJson(versions)
          : print(`portico ${versions.version} (${versions.runtime})\n`));
        return 0;
      }
    }
  } catch (error) {
    return await fail(error, argv.includes("--json"));
  }
}
