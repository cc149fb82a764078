import { pathToFileURL } from "node:url";
import { messageOf, PorticoError } from "../core/errors.ts";
import type { Level, LogRecord, Sink } from "../core/record.ts";
import { describe } from "./words.ts";

/** The options of a `logtape` sink. */
export interface LogTapeOptions {
  readonly category: readonly string[];
  /** The path of a module that calls LogTape's `configure`. */
  readonly configure?: string;
}

/** What is used of LogTape. */
type LogTape = Pick<typeof import("@logtape/logtape"), "getConfig" | "getLogger">;
type Logger = ReturnType<LogTape["getLogger"]>;

const LEVEL = {
  debug: "debug",
  info: "info",
  warn: "warning",
  error: "error",
} as const satisfies Record<Level, string>;

/**
 * Hands records to LogTape: to the logger of `category` with the service's name behind it. The message
 * is the words for people, the properties are the record's fields.
 *
 * @throws PorticoError SINK_FAILED when LogTape is not installed, or its configuration fails.
 */
export async function openLogTape(
  { category, configure }: LogTapeOptions,
  warn: (message: string) => void,
): Promise<Sink> {
  const { getConfig, getLogger } = await load();
  if (configure !== undefined) await runConfiguration(configure);
  if (getConfig() === null) {
    warn(
      'LogTape is not configured, and drops what it is given: call its configure, in a module that "configure" names',
    );
  }
  const loggers = new Map<string | undefined, Logger>();
  const loggerOf = (service: string | undefined): Logger => {
    let logger = loggers.get(service);
    if (logger === undefined) {
      logger = getLogger(service === undefined ? category : [...category, service]);
      loggers.set(service, logger);
    }
    return logger;
  };
  return {
    write(record) {
      const text = describe(record);
      const { time, level, ...properties } = record;
      loggerOf(record.service).emit({
        level: LEVEL[level],
        message: [text],
        rawMessage: text,
        timestamp: time,
        properties: properties satisfies Omit<LogRecord, "time" | "level">,
      });
    },
  };
}

async function load(): Promise<LogTape> {
  try {
    return await import("@logtape/logtape");
  } catch (error) {
    throw new PorticoError(
      "SINK_FAILED",
      `the sink logtape needs the package @logtape/logtape, which is not installed: ${
        messageOf(error).split("\n")[0]
      }`,
      { side: "config", cause: error },
    );
  }
}

async function runConfiguration(path: string): Promise<void> {
  try {
    await import(pathToFileURL(path).href);
  } catch (error) {
    throw new PorticoError(
      "SINK_FAILED",
      `LogTape cannot be configured: ${path} failed: ${messageOf(error).split("\n")[0]}`,
      { side: "config", cause: error },
    );
  }
}
