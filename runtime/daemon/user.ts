import type { Adapter } from "../core/contract.ts";
import type { Identity } from "../core/plan.ts";

/**
 * Makes this process the user that a manifest names, for good. To be called when the sockets are
 * open: nothing that needs root is left to do then.
 *
 * @throws PorticoError ENOENT for a user who is not known, EPERM.
 */
export async function becomeUser(named: Identity, adapter: Adapter): Promise<void> {
  if (named.user === undefined && named.group === undefined) return;
  const { dropPrivileges, resolveIdentity } = await import("../identity/mod.ts");
  const identity = resolveIdentity(named);
  const calls = adapter.features.processCalls === true ? await adapter.processCalls() : undefined;
  if (identity !== undefined) dropPrivileges(identity, calls);
}
