import type { Reloaded } from "../control/control.ts";
import type { ServerStatus } from "../services/status.ts";
import { PorticoError } from "../core/errors.ts";
import { didYouMean } from "../values/nearest.ts";
import { renderRows, show } from "../values/problem.ts";
import type { CallOf } from "../terminal/commands.ts";
import { print, printJson } from "../terminal/output.ts";
import { renderStatus } from "../terminal/status.ts";
import { ControlClient } from "./ctl-target.ts";

/** How long a server may take to say what it is doing, in ms. What it is to do takes its time. */
const STATUS_LIMIT = 10_000;

/**
 * Asks a server that runs, and tells what it answered.
 *
 * @returns 0; of `health` 1 for what is not well.
 * @throws Refusal when the server says no; NOT_RUNNING when there is none; USAGE for a service that
 * it does not have; ManifestError when there is no manifest to find it by.
 */
export async function ctl(call: CallOf<"ctl">): Promise<number> {
  const { verb, service, manifest, socket, to, json } = call;
  if (verb === "list") return await (await import("./ctl-list.ts")).list(json);
  const client = await ControlClient.open({ manifest, socket });
  if (verb === "logs") return await (await import("./ctl-logs.ts")).logs(client, call);
  if (verb === "top") return await (await import("./ctl-top.ts")).top(client, call);
  if (verb === "bans" || verb === "ban" || verb === "unban") {
    return await (await import("./ctl-bans.ts")).bans(client, call);
  }
  if (verb === "status" || verb === "health" || service !== undefined) {
    const limit = { patience: STATUS_LIMIT };
    const status = await client.ask({ command: "status" }, limit) as ServerStatus;
    if (service !== undefined) checkService(service, status);
    const services = status.services.filter((one) =>
      service === undefined || one.service === service
    );
    const shown = { ...status, services };
    if (verb === "health") return await (await import("./ctl-health.ts")).health(shown, json);
    if (verb === "status") {
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
