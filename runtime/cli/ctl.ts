import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { ask } from "../control/client.ts";
import type { Reloaded } from "../control/control.ts";
import type { ServerStatus } from "../services/status.ts";
import { checkFolder, defaultPaths } from "../control/path.ts";
import type { Adapter } from "../core/contract.ts";
import { PorticoError } from "../core/errors.ts";
import { expand } from "../manifest/expand.ts";
import { find, load } from "../manifest/load.ts";
import { sinkCatalog } from "../sinks/mod.ts";
import { didYouMean } from "../values/nearest.ts";
import { ManifestError, renderRows, show } from "../values/problem.ts";
import { loadAdapter } from "../adapter.ts";
import type { CtlCall } from "../terminal/args.ts";
import { print, printJson } from "../terminal/output.ts";
import { renderStatus } from "../terminal/status.ts";

/** How long a server may take to say what it is doing, in ms. What it is to do takes its time. */
const STATUS = 10_000;

/**
 * Asks a server that runs, and tells what it answered.
 *
 * @returns 0.
 * @throws Refusal when the server says no; NOT_RUNNING when there is none; USAGE for a service that
 * it does not have; ManifestError when there is no manifest to find it by.
 */
export async function ctl({ verb, service, manifest, socket, to, json }: CtlCall): Promise<number> {
  const [adapter, places] = await Promise.all([
    loadAdapter(),
    socket === undefined ? placesOf(manifest) : [resolve(socket)],
  ]);
  const server = new Server(adapter, places, socket === undefined ? manifest : undefined);
  if (verb === "status" || service !== undefined) {
    const status = await server.ask({ command: "status" }, { patience: STATUS }) as ServerStatus;
    if (service !== undefined) checkService(service, status);
    if (verb === "status") {
      const services = status.services.filter((one) =>
        service === undefined || one.service === service
      );
      const shown = { ...status, services };
      await (json ? printJson(shown) : print(renderStatus(shown)));
      return 0;
    }
  }
  // The server that stops closes its control socket last: then a new one can be started.
  const toTheEnd = verb === "stop" && service === undefined;
  const result = await server.ask({ command: verb, service, to }, { toTheEnd });
  await (json ? printJson(result) : print(`${verb}: ${told(result)}\n`));
  return 0;
}

/** Where the control socket may be, the likeliest first. */
async function placesOf(manifest: string): Promise<readonly string[]> {
  const file = find(resolve(manifest));
  const places = defaultPaths(file);
  let control: string | false | undefined;
  try {
    ({ control } = expand(await load(file), sinkCatalog));
  } catch (error) {
    // The server that runs may have been started before the manifest was broken.
    if (error instanceof ManifestError && places.some(isSocket)) return places;
    throw error;
  }
  if (control === undefined) return places;
  if (control !== false) return [control];
  const text = `${file} says "control": false: its server takes signals only`;
  throw new PorticoError("NOT_RUNNING", text);
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

type Asked = Parameters<typeof ask> extends [unknown, unknown, ...infer Rest] ? Rest : never;

/** The server that listens on one of a few places. */
class Server {
  readonly #adapter: Adapter;
  readonly #places: readonly string[];
  readonly #manifest: string | undefined;

  constructor(adapter: Adapter, places: readonly string[], manifest: string | undefined) {
    this.#adapter = adapter;
    this.#places = places;
    this.#manifest = manifest;
  }

  /** @throws PorticoError NOT_RUNNING when nobody listens on any; otherwise as {@link ask}. */
  async ask(...asked: Asked): Promise<unknown> {
    for (const place of this.#places) {
      try {
        // In a folder that others can write to, anybody could play the server.
        if (this.#places.length > 1) checkFolder(dirname(place));
        return await ask(this.#adapter, place, ...asked);
      } catch (error) {
        if (!(error instanceof PorticoError) || !isNobody(error)) throw error;
      }
    }
    throw this.#nobody();
  }

  #nobody(): PorticoError {
    const [place] = this.#places;
    const path = this.#manifest === undefined || this.#manifest === "." ? "" : ` ${this.#manifest}`;
    const text = renderRows({
      received: `nobody listens on unix:${place}`,
      expected: `a server, as started by: portico run${path}`,
    });
    return new PorticoError("NOT_RUNNING", text);
  }
}

function isNobody({ code }: PorticoError): boolean {
  return code === "ENOENT" || code === "ECONNREFUSED";
}

function checkService(service: string, { services }: ServerStatus): void {
  const known = services.map(({ service }) => service);
  if (known.includes(service)) return;
  const hint = didYouMean(service, known);
  const expected = known.length === 0 ? "no service: none runs" : `one of ${known.join(", ")}`;
  const rows = { received: show(service), expected, ...(hint !== undefined && { hint }) };
  throw new PorticoError("USAGE", renderRows(rows));
}

/** What a verb has come to, as a clause. */
function told(result: unknown): string {
  if (typeof result === "number") return `process ${result} has taken over`;
  if (Array.isArray(result)) return result.length === 0 ? "nothing to do" : result.join(", ");
  const { added, changed, removed, unchanged } = result as Reloaded;
  const parts = Object.entries({ added, changed, removed })
    .filter(([, names]) => names.length > 0)
    .map(([word, names]) => `${word} ${names.join(", ")}`);
  if (parts.length === 0) parts.push("nothing changed");
  return [...parts, `${unchanged.length} unchanged`].join("; ");
}
