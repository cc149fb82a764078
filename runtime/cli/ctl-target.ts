/** Which server `portico ctl` is to ask. */
import { dirname, join, resolve } from "node:path";
import { checkFolder, defaultPaths } from "../control/path.ts";
import { ask, type AskOptions } from "../control/client.ts";
import type { ControlRequest } from "../control/request.ts";
import type { Adapter } from "../core/contract.ts";
import { PorticoError } from "../core/errors.ts";
import { find, findControl, NAMES } from "../manifest/load.ts";
import { embeddedFile } from "../modules/embedded.ts";
import { loadAdapter } from "../adapter.ts";
import { ManifestError, renderRows } from "../values/problem.ts";

/** How the call says which one. */
export interface Target {
  readonly manifest: string;
  /** Its control socket, instead. */
  readonly socket?: string | undefined;
}

/** Asks the one server that is meant. */
export class ControlClient {
  readonly #adapter: Adapter;
  readonly #target: Target;
  /** The socket that the server was found at. */
  #path: string | undefined;

  constructor(adapter: Adapter, target: Target) {
    this.#adapter = adapter;
    this.#target = target;
  }

  static async open(target: Target): Promise<ControlClient> {
    return new ControlClient(await loadAdapter(), target);
  }

  /** @throws PorticoError NOT_RUNNING when there is no such server; otherwise as {@link ask}. */
  async ask(request: ControlRequest, options?: AskOptions): Promise<unknown> {
    const { manifest, socket } = this.#target;
    if (socket !== undefined) return await this.#askFirst([resolve(socket)], request, options);
    if (this.#path !== undefined) return await this.#askFirst([this.#path], request, options);
    const { files, paths, wrong } = await placesOf(manifest);
    // In a folder that others can write to, anybody could play the server.
    if (paths.length > 1) { for (const path of paths) checkFolder(dirname(path)); }
    try {
      return await this.#askFirst(paths, request, options);
    } catch (error) {
      if (!(error instanceof PorticoError) || error.code !== "NOT_RUNNING") throw error;
      const elsewhere = await this.#searchAll(files);
      if (elsewhere === undefined) throw wrong ?? error;
      return await this.#askFirst([elsewhere], request, options);
    }
  }

  async #askFirst(
    paths: readonly string[],
    request: ControlRequest,
    options?: AskOptions,
  ): Promise<unknown> {
    for (const path of paths) {
      try {
        const result = await ask(this.#adapter, path, request, options);
        this.#path = path;
        return result;
      } catch (error) {
        if (!(error instanceof PorticoError) || !isNobody(error)) throw error;
      }
    }
    throw this.#notRunning(paths);
  }

  /** The socket of the server of a manifest, wherever that is. @throws PorticoError USAGE when there are two. */
  async #searchAll(files: readonly string[]): Promise<string | undefined> {
    const { findByManifest } = await import("../control/servers.ts");
    const found = await findByManifest(this.#adapter, files);
    if (found.length < 2) return found[0]?.socket;
    const sockets = found.map(({ socket }) => `--socket ${socket}`).join(", or ");
    const received = `${found.length} servers of ${files[0]}`;
    throw new PorticoError("USAGE", renderRows({ received, expected: sockets }));
  }

  #notRunning([path]: readonly string[]): PorticoError {
    const { manifest, socket } = this.#target;
    const target = socket !== undefined || manifest === "." ? "" : ` ${manifest}`;
    const call = manifest === embeddedFile() ? manifest : `portico run${target}`;
    const received = path === undefined
      ? `${manifest} says "control": false: its server takes signals only`
      : `nobody listens on unix:${path}`;
    const expected = `a server, as started by: ${call}`;
    return new PorticoError("NOT_RUNNING", renderRows({ received, expected }));
  }
}

function isNobody({ code }: PorticoError): boolean {
  return code === "ENOENT" || code === "ECONNREFUSED";
}

/** What is known of the server of a manifest. */
interface Places {
  /** What its manifest may be called. */
  readonly files: readonly string[];
  /** Where its control socket may be, the likeliest first. */
  readonly paths: readonly string[];
  /** Why the manifest does not say it: it is broken, or has gone. */
  readonly wrong?: ManifestError | undefined;
}

async function placesOf(manifest: string): Promise<Places> {
  const whole = resolve(manifest);
  let file: string;
  try {
    file = find(whole);
  } catch (wrong) {
    if (!(wrong instanceof ManifestError)) throw wrong;
    // What has gone may have been a manifest, or a folder with one.
    const files = [whole, ...NAMES.map((name) => join(whole, name))];
    return { files, paths: files.flatMap(defaultPaths), wrong };
  }
  const { control, wrong } = await findControl(file);
  if (control === false) return { files: [file], paths: [] };
  return { files: [file], paths: control === undefined ? defaultPaths(file) : [control], wrong };
}
