/**
 * One logger writes records to a file: `node bench/sinks/rate.ts portico|logtape|pino FILE COUNT`. Prints JSON:
 * seconds, CPU-seconds of all threads, bytes. Run by bench/sinks.ts.
 */
import { statSync } from "node:fs";
import process from "node:process";
import { setImmediate as turn } from "node:timers/promises";

/** Records of one turn of the event loop: what a busy server's loop gives a log. */
const TURN = 64;

interface Logger {
  /** The `close` of the session `n`. */
  write(n: number): void;
  close(): Promise<void>;
}

const LOGGERS: Readonly<Record<string, (path: string) => Promise<Logger>>> = {
  async portico(path) {
    const { openSinks } = await import("../../runtime/sinks/mod.ts");
    const { Log } = await import("../../runtime/core/log.ts");
    const { MemoryAdapter } = await import("../../adapters/memory/mod.ts");
    const plan = { name: "file", type: "file", level: "info", options: { path, format: "json" } };
    const host = { adapter: new MemoryAdapter(), warn: fail };
    const [outlet] = await openSinks([plan as never], host);
    const log = new Log([outlet!], (_name, error) => fail(String(error)));
    return {
      write(n) {
        if (!log.wants("info", "close", n)) return;
        log.emit("info", "close", {
          service: "echo",
          session: n,
          durationMs: 12,
          bytesIn: 5,
          bytesOut: 5,
          reason: "peer",
        });
      },
      close: () => outlet!.base.close!(),
    };
  },
  async logtape(path) {
    const { configure, dispose, getJsonLinesFormatter, getLogger } = await import(
      "@logtape/logtape"
    );
    const { getFileSink } = await import("@logtape/file");
    await configure({
      sinks: { file: getFileSink(path, { formatter: getJsonLinesFormatter(), nonBlocking: true }) },
      loggers: [
        { category: "echo", sinks: ["file"], lowestLevel: "info" },
        { category: ["logtape", "meta"], sinks: [] },
      ],
    });
    const logger = getLogger("echo");
    return {
      write: (n) =>
        logger.info("close", {
          session: n,
          durationMs: 12,
          bytesIn: 5,
          bytesOut: 5,
          reason: "peer",
        }),
      close: dispose,
    };
  },
  async pino(path) {
    const { destination, pino } = await import("pino");
    const out = destination({ dest: path, sync: false, minLength: 4096 });
    const logger = pino({ base: { service: "echo" } }, out);
    await new Promise((resolve) => out.once("ready", resolve));
    return {
      write: (n) =>
        logger.info(
          { session: n, durationMs: 12, bytesIn: 5, bytesOut: 5, reason: "peer" },
          "close",
        ),
      close: () =>
        new Promise((resolve, reject) => {
          out.flush((error) => error ? reject(error) : resolve());
        }),
    };
  },
};

function fail(message: string): never {
  throw new Error(message);
}

/** Writes so many records. Sleeps never: the file is the only thing to wait for. */
async function write(logger: Logger, count: number): Promise<void> {
  for (let n = 1; n <= count; n++) {
    logger.write(n);
    if (n % TURN === 0) await turn();
  }
}

const [name = "", path = "", count = "1000000"] = process.argv.slice(2);
const logger = await LOGGERS[name]!(path);
// The first ones make the code warm.
await write(logger, 50_000);
const before = process.cpuUsage();
const began = performance.now();
await write(logger, Number(count));
await logger.close();
const seconds = (performance.now() - began) / 1000;
const { user, system } = process.cpuUsage(before);
const { size } = statSync(path);
process.stdout.write(`${JSON.stringify({ seconds, cpu: (user + system) / 1e6, size })}\n`);
process.exit(0);
