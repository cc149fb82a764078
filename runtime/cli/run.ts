import process from "node:process";
import { setInterval } from "node:timers";
import { fileURLToPath } from "node:url";
import {
  inheritedFor,
  isInetd,
  makeNotifier,
  passedSockets,
  untilDone,
} from "../activation/mod.ts";
import type { ControlSocket } from "../control/socket.ts";
import type { Adapter } from "../core/contract.ts";
import { messageOf } from "../core/errors.ts";
import { hookError } from "../core/hooks.ts";
import { errorFields } from "../core/log.ts";
import { removeFiles } from "../services/handover.ts";
import { Server } from "../daemon/server.ts";
import { loadAdapter } from "../adapter.ts";
import type { RunCall } from "../terminal/args.ts";
import { releaseHeap } from "../daemon/heap.ts";
import { Journal } from "../daemon/journal.ts";
import { Tap } from "../daemon/operator.ts";
import { onSignals } from "../daemon/signals.ts";
import { inherit, isSuccessor, type Predecessor } from "../daemon/upgrade.ts";
import { read, type Reading, Supervisor } from "../daemon/supervisor.ts";
import { runtime, version } from "../daemon/version.ts";

/**
 * Runs a manifest until a signal, or an operator, ends it.
 *
 * @returns 0 after a clean stop.
 * @throws PorticoError when it cannot start; nothing is left behind.
 */
export async function run(call: RunCall): Promise<number> {
  // The adapter is loaded while the manifest is read: a start is mostly waiting for modules.
  const loading = loadAdapter();
  loading.catch(() => {});
  // systemd's variables are read, and taken out of what children see, before anything is started.
  passedSockets();
  const predecessor = isSuccessor() ? await inherit(await loading) : undefined;
  try {
    return await serve(call, await read(call.path, call.json), await loading, predecessor);
  } catch (error) {
    await predecessor?.failed(messageOf(error));
    throw error;
  }
}

async function serve(
  { path, json, watch, stats }: RunCall,
  reading: Reading,
  adapter: Adapter,
  predecessor: Predecessor | undefined,
): Promise<number> {
  const { plan } = reading;
  if (plan.umask !== undefined) process.umask(plan.umask);
  const tap = new Tap();
  const journal = await Journal.open(plan.services, adapter, tap.sink);
  const release = survive(journal);
  // A server of which nothing keeps the event loop alive (FFI sockets) is a server all the same.
  const alive = setInterval(() => {}, 2 ** 30);
  const ended = Promise.withResolvers<{ reason: string; handed: boolean }>();
  const end = (reason: string, handed: boolean): void => ended.resolve({ reason, handed });
  const notifier = makeNotifier(adapter, process.env, (reason) => {
    journal.server.emit("warn", "error", { code: "SEND_FAILED", message: reason, side: "host" });
  });
  const server = new Server({
    adapter,
    operator: tap,
    worker: fileURLToPath(new URL("../worker.ts", import.meta.url).href),
    inherit: async ({ endpoint }) => inheritedFor(endpoint, await adapter.descriptors()),
  });
  const supervisor = new Supervisor(
    { path, json, watch, pid: process.pid, adapter, server, journal, notifier, end },
    reading,
  );
  tap.attach(supervisor, () => server.measure());
  const reload = (): Promise<void> => supervisor.reload().then(() => {}, () => {});
  let started = false;
  const silence = onSignals({
    stop(signal) {
      supervisor.close();
      end(signal, false);
    },
    kill: () => started ? void server.kill() : process.exit(1),
    reload() {
      journal.reopen();
      void reload();
    },
    status() {
      for (const { service, ...status } of server.status()) {
        journal.logs.get(service)?.emit("info", "status", { service, ...status });
      }
    },
  });
  let control: ControlSocket | undefined;
  let unwatch: (() => void) | undefined;
  let unshow: (() => void) | undefined;
  // Until it serves, the sockets are its predecessor's; in the end they may be a successor's.
  let borrowed = predecessor !== undefined;
  let handed = false;
  try {
    journal.server.emit("info", "start", {
      runtime: runtime(),
      version: version(),
      pid: process.pid,
    });
    const inetd = plan.services.some(isInetd);
    // First of all: a second server of this manifest shall hear of the first one, not of a port in use.
    if (!inetd) {
      control = await openControl(supervisor, reading, adapter, journal, predecessor);
    }
    const services = supervisor.ready(reading);
    await server.start(services, predecessor?.estate);
    started = true;
    await become(reading, adapter);
    if (watch) {
      // Whoever waits for "ready" may change a file at once.
      const { watchFiles } = await import("../daemon/watch.ts");
      unwatch = watchFiles(() => supervisor.files(), reload);
    }
    journal.server.emit("info", "ready", {});
    supervisor.began(services, control);
    if (predecessor !== undefined) {
      borrowed = false;
      await settle(predecessor, control, adapter);
    }
    await notifier.ready();
    releaseHeap();
    if (stats) {
      const { showStats } = await import("../daemon/stats.ts");
      unshow = showStats(() => server.status());
    }
    if (inetd) void untilIdle(reading, server).then(() => end("idle", false));
    const last = await ended.promise;
    handed = last.handed;
    unwatch?.();
    unshow?.();
    await notifier.stopping();
    // A successor has the control socket already; else whoever looks on hears when it is over.
    if (handed) await control?.close(true);
    await server.stop(handed);
    await control?.close(handed);
    journal.server.emit("info", "stop", { reason: last.reason });
    return 0;
  } finally {
    unwatch?.();
    await Promise.all([
      borrowed ? server.undo() : server.kill(),
      control?.close(handed || borrowed),
      notifier.close(),
    ]);
    clearInterval(alive);
    tap.close();
    silence();
    release();
    await journal.close();
  }
}

/** @throws PorticoError when another server has it, or it cannot be had where the manifest says. */
async function openControl(
  supervisor: Supervisor,
  { plan }: Reading,
  adapter: Adapter,
  journal: Journal,
  predecessor: Predecessor | undefined,
): Promise<ControlSocket | undefined> {
  const [{ controlPlace }, socket] = await Promise.all([
    import("../control/place.ts"),
    import("../control/socket.ts"),
  ]);
  const handed = predecessor?.control;
  let place: string | undefined;
  try {
    place = controlPlace(plan);
  } catch (error) {
    // Where nobody has asked for one, a server is not refused for the want of it.
    if (handed === undefined) journal.server.emit("warn", "error", errorFields(hookError(error)));
    place = handed?.address.path;
  }
  if (place === undefined) return undefined;
  const same = handed?.address.path === place;
  return await socket.openControl(supervisor, same ? handed : place, adapter);
}

/** It serves: what a predecessor had, and the manifest has no more, is removed. */
async function settle(
  { ready, control: handed, estate }: Predecessor,
  control: ControlSocket | undefined,
  adapter: Adapter,
): Promise<void> {
  ready();
  if (handed !== undefined && control?.address.path !== handed.address.path) {
    (await adapter.descriptors()).close(handed.fd);
    estate.set("", new Map([["", [handed]]]));
  }
  removeFiles(estate);
}

/** The sockets are open: nothing that needs root is left to do. @throws PorticoError. */
async function become({ plan }: Reading, adapter: Adapter): Promise<void> {
  if (plan.identity.user === undefined && plan.identity.group === undefined) return;
  const { dropPrivileges, resolveIdentity } = await import("../identity/mod.ts");
  const identity = resolveIdentity(plan.identity);
  const calls = adapter.features.processCalls === true ? await adapter.processCalls() : undefined;
  if (identity !== undefined) dropPrivileges(identity, calls);
}

async function untilIdle(reading: Reading, server: Server): Promise<void> {
  await untilDone(reading.plan.services, () => server.status());
}

/** What a plugin throws outside of its hooks, from a timer or a promise that nobody awaits, stops no server. */
function survive(journal: Journal): () => void {
  const report = (thrown: unknown): void => {
    journal.server.emit("error", "error", errorFields(hookError(thrown)));
  };
  process.on("uncaughtException", report);
  process.on("unhandledRejection", report);
  return () => {
    process.removeListener("uncaughtException", report);
    process.removeListener("unhandledRejection", report);
  };
}
