import { statSync } from "node:fs";
import { resolve } from "node:path";
import { ControlClient } from "../control/client.ts";
import type { Reloaded } from "../control/control.ts";
import type { ServerStatus } from "../services/status.ts";
import { searchPaths } from "../control/path.ts";
import { PorticoError } from "../core/errors.ts";
import { expand } from "../manifest/expand.ts";
import { find, findControl, load } from "../manifest/load.ts";
import { sinkCatalog } from "../sinks/mod.ts";
import { didYouMean } from "../values/nearest.ts";
import { ManifestError, renderRows, show } from "../values/problem.ts";
import { loadAdapter } from "../adapter.ts";
import type { CallOf } from "../terminal/commands.ts";
import { print, printJson } from "../terminal/output.ts";
import { renderStatus } from "../terminal/status.ts";

/** How long a server may take to say what it is doing, in ms. What it is to do takes its time. */
const STATUS_LIMIT = 10_000;

/**
 * Asks a server that runs, and tells what it answered.
 *
 * @returns 0.
 * @throws Refusal when the server says no; NOT_RUNNING when there is none; USAGE for a service that
 * it does not have; ManifestError when there is no manifest to find it by.
 */
export async function ctl(
  { verb, service, manifest, socket, to, json }: CallOf<"ctl">,
): Promise<number> {
  const [adapter, paths] = await Promise.all([
    loadAdapter(),
    socket === undefined ? pathsOf(manifest) : [resolve(socket)],
  ]);
  const client = new ControlClient(adapter, paths, socket === undefined ? manifest : undefined);
  if (verb === "status" || service !== undefined) {
    const limit = { patience: STATUS_LIMIT };
    const status = await client.ask({ command: "status" }, limit) as ServerStatus;
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
  const result = await client.ask({ command: verb, service, to }, { toTheEnd });
  await (json ? printJson(result) : print(`${verb}: ${describeResult(result)}\n`));
  return 0;
}

/** Where the control socket of a manifest's server may be, the likeliest first. */
async function pathsOf(manifest: string): Promise<readonly string[]> {
  const file = find(resolve(manifest));
  let control: string | false | undefined;
  try {
    ({ control } = expand(await load(file), sinkCatalog));
  } catch (error) {
    // The server that runs may have been started before the manifest was broken, or with variables that
    // are not set here.
    const own = findControl(file);
    const paths = own === undefined ? searchPaths(file) : [own];
    if (error instanceof ManifestError && paths.some(isSocket)) return paths;
    throw error;
  }
  if (control === undefined) return searchPaths(file);
  if (control !== false) return [control];
  const text = `${file} says "control": false: its server takes signals only`;
  throw new PorticoError("NOT_RUNNING", text);
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
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
function describeResult(result: unknown): string {
  if (typeof result === "number") return `process ${result} has taken over`;
  if (Array.isArray(result)) return result.length === 0 ? "nothing to do" : result.join(", ");
  const { added, changed, removed, unchanged, kept = [] } = result as Reloaded;
  const parts = Object.entries({ added, changed, removed })
    .filter(([, names]) => names.length > 0)
    .map(([word, names]) => `${word} ${names.join(", ")}`);
  if (parts.length === 0) parts.push("nothing changed");
  parts.push(...kept.map((file) => `${file} stays as it was until a restart`));
  return [...parts, `${unchanged.length} unchanged`].join("; ");
}
