/** A server in a program of one's own: what a program imports as `portico/embed`. */
import { join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { loadAdapter } from "../adapter.ts";
import { isWithheld, toPorticoError } from "../core/errors.ts";
import { type LoadedManifest, loadManifest, type ReadSource } from "../daemon/loaded-manifest.ts";
import type { ManifestOf } from "../manifest/define.ts";
import { load, sourceOf } from "../manifest/load.ts";
import type { PluginObject } from "../manifest/manifest.ts";
import { Problems } from "../manifest/source.ts";
import { dig, show } from "../values/problem.ts";
import type { EmbeddedServer } from "./contract.ts";
import type { LoadManifest } from "../daemon/supervisor.ts";
import { startEmbedded } from "./server.ts";

export type { EmbeddedServer } from "./contract.ts";
export type { Reloaded } from "../control/control.ts";
export { Address, type Transport } from "../core/endpoint.ts";
export { type Code, PorticoError } from "../core/errors.ts";
export type { LogRecord, Sink } from "../core/record.ts";
export { defineManifest, type ManifestOf, type ServiceOf } from "../manifest/define.ts";
export type {
  Manifest,
  ManifestDefaults,
  ManifestLimits,
  ManifestListener,
  ManifestService,
  ManifestSink,
  PluginObject,
  SinkObject,
} from "../manifest/manifest.ts";
export type { ServerStatus, ServiceStatus } from "../services/status.ts";
export { ManifestError, type Problem } from "../values/problem.ts";

/** How {@link serve} starts a server. */
export interface ServeOptions {
  /** Where relative paths start, as a path or a `file:` URL; the current folder when silent. */
  readonly folder?: string | URL;
  /** Ends the server when it aborts, as {@link EmbeddedServer.stop} does; and a start that has not come to its end. */
  readonly signal?: AbortSignal;
}

/** Where records go when a manifest is silent: a program's standard output is its own. */
const LOGGING = { json: false, log: { type: "console", stream: "stderr", level: "warn" } } as const;

/** What a manifest is called that lies in no file. */
const CALL = "serve()";

/**
 * Starts a server in this program, and resolves when it serves. All that a manifest can say is as it is
 * there, but for `user`, `group` and `umask` at its top: what this process is, the program decides. A control
 * socket it has when the manifest asks for one. No signal is listened for, and what a plugin throws
 * outside of its hooks is the program's, as is every exception.
 *
 * ```ts
 * await using server = await serve({ services: { echo: { plugin: echo, listen: "tcp://127.0.0.1:0" } } });
 * console.log(String(server.address("echo")));
 * ```
 *
 * @param manifest as `portico.ts` exports it; or the path or URL of a manifest, or of a folder with one.
 * @returns the server. Whoever has called stops it; `await using` does.
 * @throws ManifestError, a PorticoError with everything that is wrong with the manifest, by its places;
 * PorticoError when a service cannot start (EADDRINUSE …); the signal's reason. Nothing is left then.
 */
export function serve<Plugins extends Record<string, string | PluginObject>>(
  manifest: ManifestOf<Plugins>,
  options?: ServeOptions,
): Promise<EmbeddedServer>;
export function serve(manifest: string | URL, options?: ServeOptions): Promise<EmbeddedServer>;
export async function serve(
  manifest: unknown,
  { folder = process.cwd(), signal }: ServeOptions = {},
): Promise<EmbeddedServer> {
  signal?.throwIfAborted();
  const home = resolve(pathOf(folder));
  const loading = loadAdapter();
  loading.catch(() => {});
  const loadFrom = loaderIn(home);
  const load = loadFrom(manifest);
  try {
    return await startEmbedded(await loading, await load(), { load, loadFrom, signal });
  } catch (error) {
    throw isWithheld(error) ? toPorticoError(error, "EACCES") : error;
  }
}

/** Makes what loads a manifest, in whatever form it is given. */
function loaderIn(home: string): (manifest: unknown) => LoadManifest {
  return (manifest) => {
    const read: ReadSource = typeof manifest === "string" || manifest instanceof URL
      ? (versionOf) => load(resolve(home, pathOf(manifest)), process.env, versionOf)
      : () => sourceOf(manifest, join(home, CALL), (path) => ({ file: CALL, path }));
    return async (versionOf) => {
      const loaded = await loadManifest(read, LOGGING, versionOf);
      checkOwn(loaded);
      return loaded;
    };
  };
}

/** What a program has decided for this process is not a manifest's to change. */
function checkOwn({ source }: LoadedManifest): void {
  const problems = new Problems(source);
  for (const key of ["user", "group", "umask"]) {
    const value = dig(source.value, [key]);
    if (value === undefined) continue;
    const expected =
      "nothing in a program, which says itself what its process is; or a service's own, with processes";
    problems.add([key], show(value), expected);
  }
  problems.throwIfAny();
}

function pathOf(place: string | URL): string {
  const url = String(place);
  return url.startsWith("file:") ? fileURLToPath(url) : url;
}
