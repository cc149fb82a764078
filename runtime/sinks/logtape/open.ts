import { pathToFileURL } from "node:url";
import { messageOf, PorticoError } from "../../core/errors.ts";
import type { Level, LogRecord, Sink } from "../../core/record.ts";
import { importModule } from "../../modules/import.ts";
import { describeRecord } from "../words.ts";
import { INSTALL, type LogTapeOptions, PACKAGE } from "./type.ts";

/** What is used of LogTape. */
type LogTape = Pick<typeof import("@logtape/logtape"), "getConfig" | "getLogger" | "reset">;
type LogTapeLogger = ReturnType<LogTape["getLogger"]>;

const LEVEL = {
  debug: "debug",
  info: "info",
  warn: "warning",
  error: "error",
} as const satisfies Record<Level, string>;

/** Sinks of a module that has configured LogTape, by its path; and how often one has been run. */
const users = new Map<string, number>();
let runs = 0;

/**
 * Hands records to LogTape: to the logger of `category` with the service's name behind it. The message
 * is the words for people, the properties are the record's fields. What `configure` has set up ends with
 * the last sink that uses it: sinks of LogTape that hold records back write them then.
 *
 * @throws PorticoError SINK_FAILED when LogTape is not installed, or its configuration fails.
 */
export async function openLogTape(
  { category, configure }: LogTapeOptions,
  warn: (message: string) => void,
): Promise<Sink> {
  const { getConfig, getLogger, reset } = await load();
  if (configure !== undefined) await runConfiguration(configure);
  if (getConfig() === null) {
    warn(
      'LogTape is not configured, and drops what it is given: call its configure, in a module that "configure" names',
    );
  }
  const loggers = new Map<string | undefined, LogTapeLogger>();
  const loggerOf = (service: string | undefined): LogTapeLogger => {
    let logger = loggers.get(service);
    if (logger === undefined) {
      logger = getLogger(service === undefined ? category : [...category, service]);
      loggers.set(service, logger);
    }
    return logger;
  };
  return {
    write(record) {
      const text = describeRecord(record);
      const { time, level, ...properties } = record;
      loggerOf(record.service).emit({
        level: LEVEL[level],
        message: [text],
        rawMessage: text,
        timestamp: time,
        properties: properties satisfies Omit<LogRecord, "time" | "level">,
      });
    },
    async close() {
      if (configure === undefined) return;
      const left = users.get(configure)! - 1;
      users.set(configure, left);
      if (left > 0) return;
      try {
        await reset();
      } catch (error) {
        warn(`LogTape did not end well: ${messageOf(error)}`);
      }
    },
  };
}

async function load(): Promise<LogTape> {
  try {
    return await import("@logtape/logtape");
  } catch (error) {
    throw new PorticoError(
      "SINK_FAILED",
      `the sink logtape needs the package ${PACKAGE}, which cannot be loaded (${
        messageOf(error).split("\n")[0]
      }): ${INSTALL}`,
      { side: "config", cause: error },
    );
  }
}

async function runConfiguration(path: string): Promise<void> {
  const used = users.get(path) ?? 0;
  if (used === 0) {
    // A module runs once; after a reset, or a failure, it has to run again.
    const times = runs++;
    const url = pathToFileURL(path).href;
    const result = await importModule(url, times === 0 ? undefined : String(times));
    if (!("module" in result)) {
      throw new PorticoError(
        "SINK_FAILED",
        `LogTape cannot be configured: ${path} failed: ${result.message.split("\n")[0]}`,
        { side: "config", cause: result.cause },
      );
    }
  }
  users.set(path, used + 1);
}
