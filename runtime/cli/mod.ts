/** The command: reads the call, loads what it needs and no more. */
import { releaseEngine } from "../adapter.ts";
import { parseCall } from "../terminal/args.ts";
import { fail } from "../terminal/failure.ts";

/**
 * Runs one call of `portico`.
 *
 * @param argv the words after the program's name.
 * @returns the exit code: 0 clean, 1 it could not run, 2 the manifest or the call is wrong.
 */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    const call = parseCall(argv);
    // Nothing of a command says when it is ready.
    if (call.command !== "run") releaseEngine();
    switch (call.command) {
      case "run":
        return await (await import("./run.ts")).run(call);
      case "check":
        return await (await import("./check.ts")).check(call);
      case "compile":
        return await (await import("./compile.ts")).compile(call);
      case "schema":
        return await (await import("./schema.ts")).schema(call);
      case "explain":
        return await (await import("./explain.ts")).explain(call);
      case "doctor":
        return await (await import("./doctor.ts")).doctor(call.json);
      case "ctl":
        return await (await import("./ctl.ts")).ctl(call);
      case "new":
        return await (await import("./new.ts")).create(call);
      case "import":
        return await (await import("./import.ts")).importManifest(call);
      case "completion":
        return await (await import("./completion.ts")).completion(call);
      case "help":
        return await (await import("./help.ts")).printHelp(call);
      case "version":
        return await (await import("./version.ts")).printVersion(call.json);
    }
  } catch (error) {
    return await fail(error, argv.includes("--json"));
  }
}
