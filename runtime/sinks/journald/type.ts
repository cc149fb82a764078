import { accessSync, constants, statSync } from "node:fs";
import * as v from "valibot";
import { messageOf } from "../../core/errors.ts";
import { size, strict } from "../../values/fields.ts";
import { FACILITIES } from "../syslog/priority.ts";
import type { SinkType } from "../types.ts";
import { QUEUE_OPTIONS } from "../queue-options.ts";

const facilities = Object.keys(FACILITIES) as (keyof typeof FACILITIES)[];
const FACILITY = `a facility: ${facilities.join(", ")}`;
const APP_NAME = "1 to 48 printable ASCII characters without spaces";
const PATH = "the path of journald's socket; /run/systemd/journal/socket when silent";
const SIZE: number = 4 * 1024 * 1024;
const LEAST = 1024;
const MAX_SIZE =
  `a size from 1KiB: in larger entries the longest values are cut; 4MiB when silent, and never more than 192KiB where descriptors cannot be passed`;

/** The options of a `journald` sink. */
export const OPTIONS = strict('{ "type": "journald" }', {
  path: v.optional(
    v.pipe(v.string(PATH), v.nonEmpty(PATH), v.description(PATH)),
    "/run/systemd/journal/socket",
  ),
  facility: v.optional(
    v.pipe(
      v.picklist(facilities, FACILITY),
      v.description(
        "SYSLOG_FACILITY, for the syslog that journald may pass it on to; daemon when silent",
      ),
    ),
    "daemon",
  ),
  appName: v.optional(
    v.pipe(
      v.string(APP_NAME),
      v.regex(/^[!-~]{1,48}$/, APP_NAME),
      v.description("SYSLOG_IDENTIFIER, the name of the program; portico when silent"),
    ),
    "portico",
  ),
  maxSize: v.optional(
    v.pipe(
      size(false),
      v.check((bytes) => bytes >= LEAST, MAX_SIZE),
      v.description(MAX_SIZE),
    ),
    SIZE,
  ),
  ...QUEUE_OPTIONS,
});

/** The options, checked and completed. */
export type JournaldOptions = v.InferOutput<typeof OPTIONS>;

/** Records to systemd's journal, their fields as its fields. */
export const JOURNALD: SinkType = {
  schema: OPTIONS,
  paths: ["path"],
  probe({ path }) {
    try {
      const at = String(path);
      if (!statSync(at).isSocket()) throw new Error(`${at} is no socket`);
      accessSync(at, constants.W_OK);
      return true;
    } catch (error) {
      return { reason: messageOf(error), remedy: "run it where systemd does, or name its socket" };
    }
  },
  open: async (options, host) =>
    (await import("./open.ts")).openJournald(options as JournaldOptions, host),
};
