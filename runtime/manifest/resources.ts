/** What the processes of a service may use of this machine, as a manifest says it: setrlimit(2), ioprio_set(2). */
import * as v from "valibot";
import { duration, entry, integer, size, strict } from "../values/fields.ts";

/** Fewer descriptors than a runtime needs before it has served anybody. */
const FILES_LEAST = 64;
const MOST = 2 ** 31 - 1;
const FILES = `a whole number from ${FILES_LEAST} up: a runtime needs some for itself`;

const RESOURCES = 'an object of limits, as { "memory": "256MiB", "cpu": "1h", "files": 256 }';

const IOPRIO =
  '"idle", "best-effort:0" to "best-effort:7", which is the least, or "realtime:0" to "realtime:7"';
const CLASSES: readonly string[] = ["none", "realtime", "best-effort", "idle"];
/** Of a class that has none, and where none is said. */
const LEVEL = 4;

/** Class and level in one number, as the kernel has them. */
function toPriority(text: string): number {
  const [name = "", level] = text.split(":");
  return CLASSES.indexOf(name) << 13 | (name === "idle" ? 0 : Number(level ?? LEVEL));
}

/** Only root may have it. */
export function isRealtime(priority: number): boolean {
  return priority >> 13 === CLASSES.indexOf("realtime");
}

const TOTAL = 'an object of limits, as { "memory": "1GiB", "cpu": "150%", "processes": 200 }';
const QUOTA = 'a share of one CPU, as "50%", or of several, as "150%"';

const TOTAL_ENTRIES = {
  memory: entry("memory; above it one of them is killed, and replaced", () => size(false)),
  cpu: v.optional(
    v.pipe(
      v.string(QUOTA),
      v.regex(/^[1-9]\d{0,5}%$/, QUOTA),
      v.description('CPU time, as "50%" of one CPU or "150%"; they are held up above it'),
      v.transform((text) => parseInt(text, 10) / 100),
    ),
  ),
  processes: entry(
    "processes and threads; no more can be started",
    () => integer(1, MOST, "a whole number above 0"),
  ),
} as const;

/** Of processes alone: workers that are some, and what they start. */
export const RESOURCE_ENTRIES = {
  ioprio: v.optional(
    v.pipe(
      v.string(IOPRIO),
      v.regex(/^(?:idle|(?:best-effort|realtime)(?::[0-7])?)$/, IOPRIO),
      v.description(
        'the priority of their I/O, as "idle" or "best-effort:7"; realtime needs root; ioprio_set(2)',
      ),
      v.transform(toPriority),
    ),
  ),
  resources: entry("what each of its processes may use", () =>
    strict(RESOURCES, {
      memory: entry(
        "memory that is resident; a process above it is killed, and replaced",
        () => size(false),
      ),
      cpu: entry("CPU time since its start, in whole seconds", () => duration(true, false)),
      files: entry(
        "descriptors that are open at once",
        () => integer(FILES_LEAST, MOST, FILES),
      ),
      processes: entry(
        "processes and threads of its user, on the whole machine; root may have more",
        () => integer(1, MOST, "a whole number above 0"),
      ),
      core: entry("size of a core dump; 0 for none", () => size(false, 0)),
      total: entry(
        "what all its processes together may use: control groups, cgroups(7)",
        () => strict(TOTAL, TOTAL_ENTRIES),
      ),
    })),
} as const;
