/** What a plugin does to the process of the sockets: throws outside of its hooks, or ends it. */
import { placeOf, placesOf } from "../core/frames.ts";
import { hookError } from "../core/hooks.ts";
import { errorFields, type Log } from "../core/log.ts";
import type { ServicePlan } from "../core/plan.ts";
import { scopeOf } from "../core/scope.ts";

/**
 * Records what a plugin has thrown outside of its hooks.
 *
 * @param logOf of a service; without its name of the server.
 */
export function recordUncaught(
  thrown: unknown,
  plans: readonly ServicePlan[],
  logOf: (service: string | undefined) => Log,
): void {
  const service = serviceOf(thrown, plans);
  logOf(service).emit("error", "error", {
    ...(service !== undefined && { service }),
    ...errorFields(hookError(thrown)),
  });
}

/** `stop`, when the process ends without having been asked to: a plugin has called `process.exit`. */
export function recordExit(code: number, plans: readonly ServicePlan[], log: Log): void {
  // Who has called it is still on the stack.
  const called = new Error("exit");
  const service = serviceOf(called, plans);
  const at = placeOf(called);
  log.emit("error", "stop", {
    ...(service !== undefined && { service }),
    reason: "exit",
    exit: code,
    ...(at !== undefined && { at }),
  });
}

/**
 * Whose it is: that of the only service that is served here; of several that of the one whose plugin's file,
 * or else folder, is in the stack. Of a value without a stack, of two services with one plugin, and of code
 * that no plugin lies beside nobody can tell.
 */
export function serviceOf(thrown: unknown, plans: readonly ServicePlan[]): string | undefined {
  const here = plans.filter(({ concurrency }) => scopeOf(concurrency.strategy) === "service");
  if (here.length <= 1) return here[0]?.name;
  const files = here.map(({ name, plugin: { url } }) => ({ name, file: fileOf(url) }));
  const places = placesOf(thrown);
  const exact = files.filter(({ file }) => places.some(({ path }) => path === file));
  if (exact.length > 0) return only(exact);
  for (const { path } of places) {
    const beside = files.filter(({ file }) => path.startsWith(folderOf(file)));
    const longest = Math.max(...beside.map(({ file }) => folderOf(file).length));
    const nearest = beside.filter(({ file }) => folderOf(file).length === longest);
    if (nearest.length > 0) return only(nearest);
  }
  return undefined;
}

function only(found: readonly { readonly name: string }[]): string | undefined {
  return found.length === 1 ? found[0]!.name : undefined;
}

function fileOf(url: string): string {
  return url.startsWith("file:") ? decodeURIComponent(new URL(url).pathname) : url;
}

function folderOf(file: string): string {
  return file.slice(0, file.lastIndexOf("/") + 1);
}
