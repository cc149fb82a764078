import { kindOf } from "../core/endpoint.ts";
import type { ServicePlan } from "../core/plan.ts";
import type { Path } from "../values/problem.ts";
import type { Finding } from "./findings.ts";

/** A service that bans nobody, though it says that it does: that does not keep it from being run. */
export function banFindings({ ban, sensor, listen }: ServicePlan, base: Path): Finding[] {
  if (ban === undefined || ban.datagrams) return [];
  const inherited = listen.some(({ endpoint }) => "name" in endpoint);
  const datagrams = listen.every(({ endpoint }) => kindOf(endpoint.transport) === "datagram");
  if (inherited || !datagrams) return [];
  const what = sensor ? "sensor" : "ban";
  const note =
    "bans nobody: it listens for datagrams alone, whose senders can be forged; ban.datagrams believes them";
  return [{ what, lacks: [], note, path: [...base, sensor ? "plugin" : "ban"] }];
}
