import * as v from "valibot";
import type { Adapter, Support } from "../core/contract.ts";
import type { Sink } from "../core/record.ts";
import { integer, strict } from "../values/fields.ts";
import type { FileOwner } from "./file/owner.ts";
import { FILE } from "./file/type.ts";
import { JOURNALD } from "./journald/type.ts";
import { LOGTAPE } from "./logtape/type.ts";
import { SYSLOG } from "./syslog/type.ts";

/** What a sink is given beside its options. */
export interface SinkHost {
  /** What the first reference calls it. */
  readonly name?: string;
  /** Its sockets. */
  readonly adapter: Adapter;
  /** Tells the operator of a sink's trouble, on standard error: once for each trouble, not for each record. */
  readonly warn: (message: string) => void;
  /** Whom the server becomes: what root makes before is theirs. */
  readonly owner?: FileOwner | undefined;
}

/** A kind of sink. Its module is loaded when it is first opened. */
export interface SinkType {
  /** What it takes beside `type` and `level`. */
  readonly schema: v.GenericSchema<unknown, Record<string, unknown>>;
  /** Which of these are paths, relative to the manifest. */
  readonly paths: readonly string[];
  /** References of different names are different sinks, even with the same options. */
  readonly named?: boolean;
  /** Makes other paths absolute, those inside of options, by what it is given; beside {@link paths}. */
  locate?(
    options: Readonly<Record<string, unknown>>,
    absolute: (path: string) => string,
  ): Record<string, unknown>;
  /** Whether it could be opened, without opening it. Absent: always. */
  probe?(options: Readonly<Record<string, unknown>>): Support;
  open(options: Readonly<Record<string, unknown>>, host: SinkHost): Promise<Sink>;
}

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

const LIMIT = "how many records are kept, from 1 to 1000000";

const MEMORY_OPTIONS = strict('{ "type": "memory", "limit": 1000 }', {
  limit: v.optional(
    v.pipe(integer(1, 1e6, LIMIT), v.description(`${LIMIT}; 1000 when silent`)),
    1000,
  ),
});

const NO_OPTIONS = strict("no options", {});

/** The sinks that this version has. */
export const SINK_TYPES: Readonly<Record<string, SinkType>> = {
  console: {
    schema: STREAM_OPTIONS,
    paths: [],
    open: async (options, { warn }) =>
      (await import("./console.ts")).openConsole(streamOf(options), warn),
  },
  json: {
    schema: STREAM_OPTIONS,
    paths: [],
    open: async (options, { warn }) =>
      (await import("./json.ts")).openJson(streamOf(options), warn),
  },
  file: FILE,
  memory: {
    schema: MEMORY_OPTIONS,
    paths: [],
    named: true,
    open: async ({ limit }, { name = "memory" }) =>
      (await import("./memory.ts")).openMemory(name, limit as number),
  },
  logtape: LOGTAPE,
  none: {
    schema: NO_OPTIONS,
    paths: [],
    open: async () => (await import("./none.ts")).openNone(),
  },
  syslog: SYSLOG,
  journald: JOURNALD,
};

function streamOf(options: Readonly<Record<string, unknown>>): "stdout" | "stderr" | undefined {
  return (options as v.InferOutput<typeof STREAM_OPTIONS>).stream;
}
