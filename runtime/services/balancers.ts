/** What a service has of balancers in front of it; the reading of their headers is loaded where there are any. */
import type { Clock } from "../core/clock.ts";
import type { BindableEndpoint, SocketOptions } from "../core/contract.ts";
import type { Descriptors } from "../core/descriptors.ts";
import type { ProxyProtocolPlan } from "../core/plan.ts";
import type { Service } from "../core/service.ts";
import type { ProxyProtocol } from "./proxy-protocol.ts";

/** Undefined where no balancer tells of anybody. */
export async function balancersOf(
  service: Service,
  descriptors: Descriptors,
  clock: Clock | undefined,
): Promise<ProxyProtocol | undefined> {
  const { proxyProtocol } = service.plan;
  if (proxyProtocol === undefined) return undefined;
  const { ProxyProtocol } = await import("./proxy-protocol.ts");
  return new ProxyProtocol(proxyProtocol, service, descriptors, clock);
}

/**
 * The options of a socket whose peers have to send a header first: the kernel accepts a connection when something has
 * come, so that hardly anybody is waited for. A socket that somebody else has made stays as it is; one that was handed
 * over by a service before says 0 (see `handover.ts`).
 */
export function deferring(
  plan: ProxyProtocolPlan | undefined,
  endpoint: BindableEndpoint,
  options: SocketOptions,
): SocketOptions {
  if (plan?.mode !== "require" || endpoint.transport !== "tcp") return options;
  const { deferAccept } = options;
  const ours = "fd" in endpoint ? deferAccept === 0 : deferAccept === undefined;
  return ours ? { ...options, deferAccept: plan.wait } : options;
}
