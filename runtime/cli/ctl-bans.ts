/** `portico ctl bans`, `ban`, `unban`. */
import { PorticoError } from "../core/errors.ts";
import { DURATION_MAX, parseDuration } from "../core/units.ts";
import type { StoredBan } from "../services/bans/stored.ts";
import { escape } from "../sinks/invisible.ts";
import type { CallOf } from "../terminal/commands.ts";
import { columns, print, printJson } from "../terminal/output.ts";
import { renderRows, show } from "../values/problem.ts";
import type { ControlClient } from "./ctl-target.ts";

/** How long an operator bans somebody who does not say it, in ms. */
const BAN = 3_600_000;

/** Asks for bans, or changes them. @returns 0. @throws PorticoError USAGE for a call that is wrong. */
export async function bans(client: ControlClient, call: CallOf<"ctl">): Promise<number> {
  const { verb, json } = call;
  if (verb === "bans") {
    const found = await client.ask({ command: "bans" }) as readonly StoredBan[];
    await (json ? printJson(found) : print(render(found)));
    return 0;
  }
  if (verb === "ban") {
    const made = await client.ask({
      command: "ban",
      source: call.source,
      for: durationOf(call.for),
      reason: call.reason,
    }) as StoredBan;
    await (json
      ? printJson(made)
      : print(`ban: ${made.source} until ${made.until ?? "it is lifted"}\n`));
    return 0;
  }
  const all = call.all === true;
  if (all === (call.source !== undefined)) {
    const received = all ? `${call.source} with --all` : "neither SOURCE nor --all";
    throw wrong(received, "one of them");
  }
  const request = { command: "unban", source: call.source, ...(all && { all }) } as const;
  const lifted = await client.ask(request) as readonly string[];
  await (json ? printJson(lifted) : print(`unban: ${lifted.join(", ") || "nobody was banned"}\n`));
  return 0;
}

/** A table for people. */
function render(bans: readonly StoredBan[]): string {
  if (bans.length === 0) return "nobody is banned\n";
  const rows = bans.map(({ source, until = "-", refused, service = "-", cause }) => [
    source,
    until,
    String(refused ?? 0),
    service,
    escape(cause),
  ]);
  return columns([["source", "until", "refused", "service", "cause"], ...rows]);
}

/** Milliseconds; undefined is for ever. */
function durationOf(text: string | undefined): number | undefined {
  if (text === undefined) return BAN;
  if (text === "none") return undefined;
  const ms = parseDuration(text);
  if (ms >= 1 && ms <= DURATION_MAX) return ms;
  throw wrong(`--for ${show(text)}`, "a duration, as 10m or 24h (at most 596h), or none");
}

function wrong(received: string, expected: string): PorticoError {
  return new PorticoError("USAGE", renderRows({ received, expected }));
}
