import { accessSync, constants, existsSync } from "node:fs";
import { dirname } from "node:path";
import * as v from "valibot";
import type { Adapter, Support } from "../core/contract.ts";
import type { Sink } from "../core/record.ts";
import { messageOf } from "../core/errors.ts";
import { strict } from "../manifest/fields.ts";

/** What a sink is given beside its options. */
export interface SinkHost {
  /** Its sockets. */
  readonly adapter: Adapter;
  /** Tells the operator of a sink's trouble, on standard error: once for each trouble, not for each record. */
  readonly warn: (message: string) => void;
}

/** A kind of sink. Its module is loaded when it is first opened. */
export interface SinkType {
  /** What it takes beside `type` and `level`. */
  readonly schema: v.GenericSchema<unknown, Record<string, unknown>>;
  /** Which of these are paths, relative to the manifest. */
  readonly paths: readonly string[];
  /** Whether it could be opened, without opening it. Absent: always. */
  probe?(options: Readonly<Record<string, unknown>>): Support;
  open(options: Readonly<Record<string, unknown>>, host: SinkHost): Promise<Sink>;
}

const PATH = "the path of the log file, relative to the manifest";
const FORMAT = '"json" (one record a line) or "text" (for people)';

/** The options of a `file` sink. */
export const FILE_OPTIONS = strict('{ "type": "file", "path": … }', {
  path: v.pipe(v.string(PATH), v.nonEmpty(PATH), v.description(PATH)),
  format: v.optional(
    v.pipe(v.picklist(["json", "text"], FORMAT), v.description(`${FORMAT}; json when silent`)),
    "json",
  ),
});

const STREAM = '"stdout" or "stderr"';

/** The options of the sinks that write to a standard stream. */
export const STREAM_OPTIONS = strict('{ "type": "console" }', {
  stream: v.optional(
    v.pipe(
      v.picklist(["stdout", "stderr"], STREAM),
      v.description(`${STREAM}; stdout when silent, but stderr where an endpoint is stdio:`),
    ),
  ),
});

const NO_OPTIONS = strict("no options", {});

/** The sinks that this version has. */
export const SINK_TYPES: Readonly<Record<string, SinkType>> = {
  console: {
    schema: STREAM_OPTIONS,
    paths: [],
    open: async (options) => (await import("./console.ts")).openConsole(streamOf(options)),
  },
  json: {
    schema: STREAM_OPTIONS,
    paths: [],
    open: async (options) => (await import("./json.ts")).openJson(streamOf(options)),
  },
  file: {
    schema: FILE_OPTIONS,
    paths: ["path"],
    probe: ({ path }) => canAppend(String(path)),
    open: async (options) =>
      (await import("./file.ts")).openFile(options as v.InferOutput<typeof FILE_OPTIONS>),
  },
  none: {
    schema: NO_OPTIONS,
    paths: [],
    open: async () => (await import("./none.ts")).openNone(),
  },
};

function streamOf(options: Readonly<Record<string, unknown>>): "stdout" | "stderr" | undefined {
  return (options as v.InferOutput<typeof STREAM_OPTIONS>).stream;
}

function canAppend(path: string): Support {
  try {
    const { W_OK } = constants;
    if (existsSync(path)) accessSync(path, W_OK);
    else accessSync(dirname(path), W_OK);
    return true;
  } catch (error) {
    return { reason: messageOf(error), remedy: "name a file in a folder that can be written" };
  }
}

/** Sinks that DESIGN names and that this version does not have. */
export const LATER: readonly string[] = ["syslog", "journald"];
