/** The command: reads the call, loads what it needs and no more. */
import { parseCall } from "../terminal/args.ts";
import { fail } from "../terminal/failure.ts";
import { print, printJson } from "../terminal/output.ts";

/**
 * Runs one call of `portico`.
 *
 * @param argv the words after the program's name.
 * @returns the exit code: 0 clean, 1 it could not run, 2 the manifest or the call is wrong.
 */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    const call = parseCall(argv);
    switch (call.command) {
      case "run":
        return await (await import("./run.ts")).run(call);
      case "check":
        return await (await import("./check.ts")).check(call.path, call.json);
      case "doctor":
        return await (await import("./doctor.ts")).doctor(call.json);
      case "ctl":
        return await (await import("./ctl.ts")).ctl(call);
      case "help":
        await print((await import("./help.ts")).HELP);
        return 0;
      case "version": {
        const { runtime, version } = await import("../daemon/version.ts");
        const versions = { version: version(), runtime: runtime() };
        await (call.json
          ? printJson(versions)
          : print(`portico ${versions.version} (${versions.runtime})\n`));
        return 0;
      }
    }
  } catch (error) {
    return await fail(error, argv.includes("--json"));
  }
}
