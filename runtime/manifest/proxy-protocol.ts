/** `proxyProtocol` of a service: which balancers may say whom a connection is for. */
import { kindOf } from "../core/endpoint.ts";
import type { AccessRule, ListenPlan, ProxyProtocolPlan } from "../core/plan.ts";
import { type Path, show } from "../values/problem.ts";
import { isInherited } from "./inherited.ts";
import type { CheckedService } from "./schema.ts";
import type { Problems } from "./source.ts";

/** How long a header may take to come where nobody says it, in ms. */
const WAIT = 3000;

/** What HTTP has in its place. */
const OTHER_WAY =
  "no http endpoint: behind a balancer of HTTP the header Forwarded or X-Forwarded-For says it";

/** Makes a plan of it, and tells of what cannot have one. */
export function readProxyProtocol(
  problems: Problems,
  { proxyProtocol }: Partial<CheckedService>,
  listen: readonly ListenPlan[],
  path: Path,
  rulesOf: (texts: readonly string[], path: Path) => readonly AccessRule[],
): ProxyProtocolPlan | undefined {
  if (proxyProtocol === undefined) return undefined;
  const place = [...path, "proxyProtocol"];
  for (const { endpoint, text } of listen) {
    const kind = isInherited(endpoint) ? "stream" : kindOf(endpoint.transport);
    if (kind !== "http") continue;
    problems.add(place, `"proxyProtocol", and ${show(text)}`, OTHER_WAY, { part: "key" });
  }
  const { from, mode = "require", wait = WAIT } = proxyProtocol;
  return { from: rulesOf(from, [...place, "from"]), mode, wait };
}
