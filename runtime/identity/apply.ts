import process from "node:process";
import type { ProcessPlan } from "../core/plan.ts";
import type { ProcessCalls } from "../core/process.ts";
import { applyLimits } from "./limits.ts";

/**
 * Makes a worker what its service wants its processes to be. Its environment is given to it when it
 * is started; the priority is that of this thread, and of those that it starts from now on.
 *
 * @throws PorticoError ENOENT for a user who is not known, EPERM for what this process may not do.
 */
export async function applyProcess(
  { umask, user, group, ...limits }: Omit<ProcessPlan, "env">,
  calls: Pick<ProcessCalls, "setGroups" | "limit" | "prioritizeIo">,
): Promise<void> {
  // Only root may be more important, and have more than it has: so this comes before it is somebody else.
  applyLimits(limits, calls);
  if (umask !== undefined) process.umask(umask);
  if (user === undefined && group === undefined) return;
  // Whoever stays who it is need not load how to be another.
  const [{ dropPrivileges }, { resolveIdentity }] = await Promise.all([
    import("./drop.ts"),
    import("./resolve.ts"),
  ]);
  const identity = resolveIdentity({
    ...(user !== undefined && { user }),
    ...(group !== undefined && { group }),
  });
  if (identity !== undefined) dropPrivileges(identity, calls);
}
