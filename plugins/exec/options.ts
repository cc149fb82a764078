import * as v from "valibot";
import { described, duration, size } from "../units.ts";
import { PASSED } from "./environment.ts";
import { LIMIT_ENTRIES, type ProgramLimits, type ProgramResourcesInput } from "./limits.ts";

/** The largest datagram over UDP and IPv4, in bytes. */
const DATAGRAM_MAX = 65507;

const COMMAND = 'a program and its arguments: ["/usr/bin/cat", "-n"]; for a shell write ["sh", …]';
const ENV = 'variables: { "TZ": "UTC" }';
const PASS_ENV = 'names of variables, as ["PATH", "HOME"], or true for all of them';
const STDERR = '"log", "discard" or "peer"';

/** What goes to exec(2) ends at a NUL. */
const text = (expected: string): v.GenericSchema<string> =>
  v.pipe(v.string(expected), v.regex(/^[^\0]*$/, expected));

/** The options of `exec`, as its schema makes them of a manifest's. */
export interface ExecOptions extends ProgramLimits {
  readonly command: readonly string[];
  readonly cwd?: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly passEnv: true | readonly string[];
  readonly stderr: "log" | "discard" | "peer";
  /** In ms; as long as it wants when undefined. */
  readonly timeout?: number | undefined;
  /** In ms. */
  readonly killAfter: number;
  /** In bytes. */
  readonly maxOutput: number;
}

/** What a manifest may say of them: durations as `"5s"` or ms, sizes as `"4KiB"` or bytes. */
export interface ExecInput {
  readonly command: string[];
  readonly cwd?: string | undefined;
  readonly env?: Record<string, string> | undefined;
  readonly passEnv?: true | string[] | undefined;
  readonly stderr?: "log" | "discard" | "peer" | undefined;
  readonly timeout?: string | number | undefined;
  readonly killAfter?: string | number | undefined;
  readonly maxOutput?: string | number | undefined;
  readonly nice?: number | undefined;
  readonly ioprio?: string | undefined;
  readonly resources?: ProgramResourcesInput | undefined;
}

/** The schema of `exec`'s options. */
export const options: v.GenericSchema<ExecInput, ExecOptions> = v.strictObject({
  command: described(
    v.pipe(
      v.array(text(COMMAND), COMMAND),
      v.minLength(1, COMMAND),
      v.check(([program]) => program !== "", COMMAND),
    ),
    "the program, a path relative to cwd or a name to be found in PATH; and its arguments",
  ),
  cwd: v.optional(described(
    text("the path of a folder"),
    "where it runs, relative to the folder of the manifest; there when silent",
  )),
  env: v.optional(
    described(
      v.record(
        v.pipe(v.string(ENV), v.regex(/^[^=\0]+$/, "the name of a variable, without =")),
        text(ENV),
        ENV,
      ),
      "variables of its environment",
    ),
    {},
  ),
  passEnv: v.optional(
    described(
      v.union([v.literal(true), v.array(v.string())], PASS_ENV),
      "variables of Portico's environment that it gets: their names, or true for all of them",
    ),
    [...PASSED],
  ),
  stderr: v.optional(
    described(
      v.picklist(["log", "discard", "peer"], STDERR),
      "what becomes of its standard error: a record of level warn for each line, nothing, or the peer's",
    ),
    "log",
  ),
  timeout: v.optional(
    duration("how long one program may run; as long as it wants when silent"),
  ),
  killAfter: v.optional(duration("between SIGTERM and SIGKILL"), "5s"),
  maxOutput: v.optional(
    size(DATAGRAM_MAX, "the longest answer to a datagram"),
    DATAGRAM_MAX,
  ),
  ...LIMIT_ENTRIES,
});
