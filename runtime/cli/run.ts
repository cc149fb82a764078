import process from "node:process";
import { setInterval } from "node:timers";
import { errorFields } from "../core/log.ts";
import { hookError } from "../core/hooks.ts";
import type { ServicePlan } from "../core/plan.ts";
import { expand } from "../manifest/expand.ts";
import { load } from "../manifest/load.ts";
import { prepare } from "../manifest/prepare.ts";
import { type Running, startServer } from "../server.ts";
import { loadAdapter } from "./adapter.ts";
import { releaseHeap } from "./heap.ts";
import { Journal } from "./journal.ts";
import { onSignals } from "./signals.ts";
import { runtime, version } from "./version.ts";

/**
 * Runs a manifest until a signal ends it.
 *
 * @param json makes `json` sinks of those on the console.
 * @returns 0 after a clean stop.
 * @throws PorticoError when it cannot start; nothing is left behind.
 */
export async function run(path: string, json: boolean): Promise<number> {
  // The adapter is loaded while the manifest is read: a start is mostly waiting for modules.
  const loading = loadAdapter();
  loading.catch(() => {});
  const source = await load(path);
  const plan = expand(source);
  const services = await prepare(plan, source);
  const adapter = await loading;
  const journal = await Journal.open(plan.services.map((service) => logged(service, json)));
  const { server } = journal;
  const release = survive(journal);
  // A server of which nothing keeps the event loop alive (FFI sockets) is a server all the same.
  const alive = setInterval(() => {}, 2 ** 30);
  let running: Running | undefined;
  const ended = Promise.withResolvers<string>();
  const silence = onSignals({
    stop: ended.resolve,
    kill: () => running === undefined ? process.exit(1) : void running.kill(),
    reopen() {
      journal.reopen();
      server.emit("info", "reload", {
        note: "log files are open anew; reading the manifest again arrives in a later version",
      });
    },
    status() {
      for (const { service, ...status } of running?.status() ?? []) {
        journal.logs.get(service)?.emit("info", "status", { service, ...status });
      }
    },
  });
  try {
    server.emit("info", "start", { runtime: runtime(), version: version(), pid: process.pid });
    running = await startServer({
      services: services.map((service) => ({
        ...service,
        log: journal.logs.get(service.plan.name)!,
      })),
      adapter,
    });
    server.emit("info", "ready", {});
    releaseHeap();
    const reason = await ended.promise;
    await running.stop();
    server.emit("info", "stop", { reason });
    return 0;
  } finally {
    clearInterval(alive);
    silence();
    release();
    await journal.close();
  }
}

function logged(plan: ServicePlan, json: boolean): ServicePlan {
  if (!json) return plan;
  return {
    ...plan,
    log: plan.log.map((sink) => sink.type === "console" ? { ...sink, type: "json" } : sink),
  };
}

/** What a plugin throws outside of its hooks, from a timer or a promise that nobody awaits, stops no server. */
function survive({ server }: Journal): () => void {
  const report = (thrown: unknown): void => {
    server.emit("error", "error", errorFields(hookError(thrown)));
  };
  process.on("uncaughtException", report);
  process.on("unhandledRejection", report);
  return () => {
    process.removeListener("uncaughtException", report);
    process.removeListener("unhandledRejection", report);
  };
}
