import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";
import * as v from "valibot";
import type { Support } from "../../core/contract.ts";
import { messageOf } from "../../core/errors.ts";
import { count, entry, flag, size, strict } from "../../values/fields.ts";
import type { SinkType } from "../types.ts";
import { follow } from "./link.ts";
import type { FileOptions } from "./sink.ts";

const PATH = "the path of the log file, relative to the manifest";
const FORMAT = '"json" (one record a line) or "text" (for people)';
const MODE = 'permissions as chmod takes them, in quotes: "0640"';
const EVERY = 'a period: "15m", "1h", "1d", "7d"';
const ROTATE = '{ "size": "10MB" } or { "every": "1d" } or both, with "keep" and "gzip"';
const PERIODS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

const rotate = v.pipe(
  strict(ROTATE, {
    size: entry("the file is put aside before it becomes larger", () => size(false)),
    every: v.optional(
      v.pipe(
        v.string(EVERY),
        v.regex(/^[1-9]\d{0,3}[mhd]$/, EVERY),
        v.description("the file is put aside as often; periods begin at the local midnight"),
        v.transform((text) => Number(text.slice(0, -1)) * PERIODS[text.at(-1)!]!),
      ),
    ),
    keep: v.optional(
      v.pipe(count(), v.description("how many files that were put aside are kept; 7 when silent")),
      7,
    ),
    gzip: v.optional(
      v.pipe(
        flag(),
        v.description("whether they are compressed, all but the latest; false when silent"),
      ),
      false,
    ),
  }),
  v.check(({ size, every }) => size !== undefined || every !== undefined, ROTATE),
);

const SIZES = '"warnSize" below "maxSize"';

const schema = v.pipe(
  strict('{ "type": "file", "path": … }', {
    path: v.pipe(v.string(PATH), v.regex(/^[^\0]+$/, PATH), v.description(PATH)),
    format: v.optional(
      v.pipe(v.picklist(["json", "text"], FORMAT), v.description(`${FORMAT}; json when silent`)),
      "json",
    ),
    mode: v.optional(
      v.pipe(
        v.string(MODE),
        v.regex(/^0?[0-7]{3}$/, MODE),
        v.description("permissions of a file that is made; 0640 less the umask when silent"),
        v.transform((text) => parseInt(text, 8)),
      ),
    ),
    rotate: entry("when the file is put aside, and a new one begun", () => rotate),
    warnSize: entry("from this size on a warning is written, once", () => size(false)),
    maxSize: entry("at this size logging to the file ends, until it is rotated", () => size(false)),
  }),
  v.check(({ warnSize = 0, maxSize = Infinity }) => warnSize < maxSize, SIZES),
);

/** Lines in a file. */
export const FILE: SinkType = {
  schema,
  paths: ["path"],
  probe: ({ path }) => canAppend(String(path)),
  open: async (options, { warn, owner }) =>
    (await import("./sink.ts")).openFile(options as unknown as FileOptions, warn, owner),
};

function canAppend(path: string): Support {
  try {
    const { W_OK, X_OK } = constants;
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats?.isDirectory()) throw new Error(`${path} is a folder`);
    if (stats?.isSocket()) throw new Error(`${path} is a socket`);
    if (stats !== undefined) accessSync(path, W_OK);
    else accessSync(dirname(follow(path)), W_OK | X_OK);
    return true;
  } catch (error) {
    return { reason: messageOf(error), remedy: "name a file in a folder that can be written" };
  }
}
