import type { ServerStatus } from "./status.ts";

/** How a server is; `well` when it runs, with all of its services. */
export interface Health {
  readonly well: boolean;
  readonly state: ServerStatus["state"];
  /** By service. */
  readonly services: Readonly<Record<string, ServerStatus["services"][number]["state"]>>;
}

/** @param status of a server, perhaps of some of its services alone. */
export function healthOf({ state = "running", services }: ServerStatus): Health {
  const well = state === "running" && services.every((one) => FINE.includes(one.state));
  const states = services.map((service) => [service.service, service.state] as const);
  return { well, state, services: Object.fromEntries(states) };
}

/** What is worst, in one word. */
export function stateOf(status: ServerStatus): string {
  const { state, services } = healthOf(status);
  if (state !== "running") return state;
  const found = new Set(Object.values(services));
  return WORST_FIRST.find((one) => found.has(one)) ?? state;
}

/** One that the manifest has switched off is as it should be. */
const FINE: readonly string[] = ["running", "disabled"];

const WORST_FIRST = ["failed", "stopped", "suspended", "draining", "resting"] as const;
