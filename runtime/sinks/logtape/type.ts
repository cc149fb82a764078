import { statSync } from "node:fs";
import * as v from "valibot";
import { messageOf } from "../../core/errors.ts";
import { strict } from "../../values/fields.ts";
import type { SinkType } from "../types.ts";

/** What a project installs that uses it: a peer dependency. */
export const PACKAGE = "@logtape/logtape";
export const INSTALL: string = `install it beside Portico, as with npm install ${PACKAGE}`;

const CATEGORY = 'a list of words, as ["portico"]';
const CONFIGURE = "the path of a module that calls LogTape's configure, relative to the manifest";

const OPTIONS = strict('{ "type": "logtape" }', {
  category: v.optional(
    v.pipe(
      v.array(v.pipe(v.string(CATEGORY), v.nonEmpty(CATEGORY)), CATEGORY),
      v.description(
        'the logger\'s category, before the name of the service; ["portico"] when silent',
      ),
    ),
    ["portico"],
  ),
  configure: v.optional(
    v.pipe(v.string(CONFIGURE), v.nonEmpty(CONFIGURE), v.description(CONFIGURE)),
  ),
});

/** The options, checked and completed. */
export type LogTapeOptions = v.InferOutput<typeof OPTIONS>;

/** Records to a logger of LogTape. */
export const LOGTAPE: SinkType = {
  schema: OPTIONS,
  paths: ["configure"],
  probe({ configure }) {
    try {
      import.meta.resolve(PACKAGE);
    } catch {
      return { reason: `the package ${PACKAGE} is not installed`, remedy: INSTALL };
    }
    try {
      if (configure !== undefined) statSync(String(configure));
      return true;
    } catch (error) {
      return { reason: messageOf(error), remedy: "name the module that configures LogTape" };
    }
  },
  open: async (options, { warn }) =>
    (await import("./open.ts")).openLogTape(options as LogTapeOptions, warn),
};
