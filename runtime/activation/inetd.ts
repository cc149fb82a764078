/** When a server that inetd has started is done: with the one connection, or when nobody comes any more. */
import { setInterval } from "node:timers";
import type { ServiceStatus } from "../services/status.ts";
import type { ServicePlan } from "../core/plan.ts";
import { STDIO_IDLE } from "./inherited.ts";

/** Between two looks at the status, in ms: at least, and at most. */
const LOOK = [50, 250] as const;

/** Whether a service is the one that inetd has started us for. */
export function isInetd({ listen }: ServicePlan): boolean {
  return listen.some(({ endpoint }) => endpoint.transport === "stdio");
}

/**
 * Resolves when the service at `stdio:` is over: the connection (inetd's `nowait`) has ended, or its
 * socket (`wait`) has had nothing to do for `limits.idle`, {@link STDIO_IDLE} when silent.
 */
export function untilDone(
  plans: readonly ServicePlan[],
  status: () => readonly ServiceStatus[],
): Promise<void> {
  const plan = plans.find(isInetd)!;
  const find = (): ServiceStatus => status().find(({ service }) => service === plan.name)!;
  const idle = plan.limits.idle === Infinity ? STDIO_IDLE : plan.limits.idle;
  // Without an endpoint that is bound there was a connection, and nothing else will come.
  const patience = find().endpoints.length === 0 ? 0 : idle;
  const doing = ({ live, served, refused }: ServiceStatus): string =>
    live > 0 ? `${performance.now()}` : `${served} ${refused}`;
  return new Promise((resolve) => {
    let last = "";
    let since = performance.now();
    const timer = setInterval(() => {
      const current = find();
      const now = performance.now();
      if (doing(current) !== last) {
        last = doing(current);
        since = now;
      }
      if (current.live > 0 || now - since < patience) return;
      clearInterval(timer);
      resolve();
    }, Math.min(LOOK[1], Math.max(LOOK[0], patience / 4)));
  });
}
