import { setPriority } from "node:os";
import process from "node:process";
import { messageOf, PorticoError } from "../core/errors.ts";
import type { ProcessPlan } from "../core/plan.ts";
import type { ProcessCalls } from "../core/process.ts";
import { dropPrivileges } from "./drop.ts";
import { resolveIdentity } from "./resolve.ts";

/**
 * Makes a worker what its service wants its processes to be. Its environment is given to it when it
 * is started; the priority is that of this thread, and of those that it starts from now on.
 *
 * @throws PorticoError ENOENT for a user who is not known, EPERM for what this process may not do.
 */
export function applyProcess(
  { umask, nice, user, group }: Omit<ProcessPlan, "env">,
  calls?: Pick<ProcessCalls, "setGroups">,
): void {
  const identity = resolveIdentity({
    ...(user !== undefined && { user }),
    ...(group !== undefined && { group }),
  });
  // Only root may go below 0, so this comes before it is somebody else.
  if (nice !== undefined) prioritize(nice);
  if (umask !== undefined) process.umask(umask);
  if (identity !== undefined) dropPrivileges(identity, calls);
}

function prioritize(nice: number): void {
  try {
    setPriority(0, nice);
  } catch (error) {
    throw new PorticoError(
      "EPERM",
      `nice ${nice}: ${messageOf(error)}; only root can make a process more important than it is`,
      { cause: error },
    );
  }
}
