import type { ServerStatus } from "../services/status.ts";
import { healthOf } from "../services/health.ts";
import { columns, print, printJson } from "../terminal/output.ts";

/** Tells how a server and its services are. @returns 0 when all is well, else 1. */
export async function health(status: ServerStatus, json: boolean): Promise<number> {
  const found = healthOf(status);
  const { well, state, services } = found;
  if (json) await printJson(found);
  else {
    const rows = Object.entries(services);
    await print(columns(state === "running" ? rows : [["server", state], ...rows]));
  }
  return well ? 0 : 1;
}
