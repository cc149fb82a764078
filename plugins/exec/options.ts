import * as v from "valibot";
import { duration, size } from "../units.ts";
import { PASSED } from "./environment.ts";

/** The largest datagram over UDP and IPv4, in bytes. */
const DATAGRAM_MAX = 65507;

const COMMAND = 'a program and its arguments: ["/usr/bin/cat", "-n"]; for a shell write ["sh", …]';
const ENV = 'variables: { "TZ": "UTC" }';
const PASS_ENV = 'names of variables, as ["PATH", "HOME"], or true for all of them';
const STDERR = '"log", "discard" or "peer"';

/** What goes to exec(2) ends at a NUL. */
const text = (expected: string) => v.pipe(v.string(expected), v.regex(/^[^\0]*$/, expected));

/** The options of `exec`. */
export const options = v.strictObject({
  /** The program first: a path, relative to `cwd`, or a name to be found in PATH. */
  command: v.pipe(
    v.array(text(COMMAND), COMMAND),
    v.minLength(1, COMMAND),
    v.check(([program]) => program !== "", COMMAND),
  ),
  /** Where it runs, relative to the folder of the manifest; there when silent. */
  /** Relative to the manifest's folder, which it is when silent. */
  cwd: v.optional(text("the path of a folder")),
  /** Variables of its environment. */
  env: v.optional(
    v.record(
      v.pipe(v.string(ENV), v.regex(/^[^=\0]+$/, "the name of a variable, without =")),
      text(ENV),
      ENV,
    ),
    {},
  ),
  /** Variables of Portico's environment that it gets. */
  passEnv: v.optional(
    v.union([v.literal(true), v.array(v.string())], PASS_ENV),
    [...PASSED],
  ),
  /** What becomes of its standard error: a record of level `warn` for each line, nothing, or the peer's. */
  stderr: v.optional(v.picklist(["log", "discard", "peer"], STDERR), "log"),
  /** How long one program may run; as long as it wants when silent. */
  timeout: v.optional(duration()),
  /** Between SIGTERM and SIGKILL. */
  killAfter: v.optional(duration(), "5s"),
  /** The longest answer to a datagram. */
  maxOutput: v.optional(size(DATAGRAM_MAX), DATAGRAM_MAX),
});
