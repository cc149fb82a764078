/** Rules for endpoints that somebody else has opened: `systemd:NAME`, `fd:N`, `stdio:`. */
import type { OptionName } from "../core/contract.ts";
import type { Endpoint } from "../core/endpoint.ts";
import type { ListenPlan, StrategyName } from "../core/plan.ts";
import { type Path, show } from "../values/problem.ts";
import type { CheckedService } from "./schema.ts";
import { SOCKET_ENTRIES } from "./socket.ts";
import type { Problems } from "./source.ts";

/** What has to be said before bind(2), or makes a file that is somebody else's; and who says it then. */
const TOO_LATE: readonly OptionName[] = ["reusePort", "ipv6Only", "mode"];

/** The largest descriptor that a process can have. */
const FD_MAX = 2 ** 31 - 1;

/** Whether the socket of an endpoint is there before the server is. */
export function isInherited(endpoint: Endpoint): boolean {
  return "name" in endpoint;
}

/** Tells of what cannot be asked of a socket that is open already. */
export function checkInherited(
  problems: Problems,
  { text, endpoint, options }: ListenPlan,
  path: Path,
): void {
  if (!("name" in endpoint)) return;
  if (endpoint.transport === "fd" && Number(endpoint.name) > FD_MAX) {
    problems.add(path, show(text), `a descriptor from 0 to ${FD_MAX}`);
  }
  const rest = Object.keys(SOCKET_ENTRIES).filter((name) => !TOO_LATE.includes(name as OptionName));
  for (const name of TOO_LATE) {
    if (options[name] === undefined) continue;
    problems.add(
      [...path.slice(0, -1), name],
      `${show(name)} for ${text}, a socket that is open already`,
      `whoever opened the socket to set it; here ${rest.join(", ")} can be set`,
      { part: "key" },
    );
  }
}

/** Whether `stdio:` is among the endpoints of a service, before they are read. */
export function namesStdio(listen: CheckedService["listen"] | undefined): boolean {
  const items = Array.isArray(listen) ? listen : [listen];
  return items.some((item) => (typeof item === "string" ? item : item?.endpoint) === "stdio:");
}

/** inetd's descriptor 0 is one socket for one process: nothing else belongs to its service. */
export function checkStdio(
  problems: Problems,
  listen: readonly ListenPlan[],
  strategy: StrategyName,
  path: Path,
): void {
  if (!listen.some(({ endpoint }) => endpoint.transport === "stdio")) return;
  if (listen.length > 1) {
    problems.add(
      [...path, "listen"],
      `stdio: among ${listen.length} endpoints`,
      "stdio: alone: the service is over when what came by it is; give the others a service of their own",
    );
  }
  if (strategy === "serial" || strategy === "async") return;
  problems.add(
    [...path, "concurrency"],
    `the strategy ${show(strategy)} with stdio:`,
    "serial or async: what comes by stdio: is served by the process that inetd has started",
  );
}
