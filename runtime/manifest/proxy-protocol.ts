/** `proxyProtocol` of a service: which balancers may say whom a connection is for. */
import type { AccessRule, ProxyProtocolPlan } from "../core/plan.ts";
import type { Path } from "../values/problem.ts";
import type { CheckedService } from "./schema.ts";

/** How long a header may take to come where nobody says it, in ms. */
const WAIT = 3000;

/** Makes a plan of it. */
export function readProxyProtocol(
  { proxyProtocol }: Partial<CheckedService>,
  path: Path,
  rulesOf: (texts: readonly string[], path: Path) => readonly AccessRule[],
): ProxyProtocolPlan | undefined {
  if (proxyProtocol === undefined) return undefined;
  const { from, mode = "require", wait = WAIT } = proxyProtocol;
  return { from: rulesOf(from, [...path, "proxyProtocol", "from"]), mode, wait };
}
