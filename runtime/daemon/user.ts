import type { Adapter } from "../core/contract.ts";
import type { Identity } from "../core/plan.ts";
import type { ResolvedIdentity } from "../identity/mod.ts";

/**
 * Whom a manifest names, in numbers; undefined for nobody.
 *
 * @throws PorticoError ENOENT for a user who is not known.
 */
export async function userOf(named: Identity): Promise<ResolvedIdentity | undefined> {
  if (named.user === undefined && named.group === undefined) return undefined;
  return (await import("../identity/mod.ts")).resolveIdentity(named);
}

/**
 * Makes this process the user that a manifest names, for good. To be called when the sockets are
 * open: nothing that needs root is left to do then.
 *
 * @param give what is root's, and becomes that user's before.
 * @throws PorticoError ENOENT for a user who is not known, EPERM.
 */
export async function becomeUser(
  named: Identity,
  adapter: Adapter,
  give?: (identity: ResolvedIdentity) => Promise<void>,
): Promise<void> {
  const identity = await userOf(named);
  if (identity === undefined) return;
  await give?.(identity);
  const { dropPrivileges } = await import("../identity/mod.ts");
  const calls = adapter.features.processCalls === true ? await adapter.processCalls() : undefined;
  dropPrivileges(identity, calls);
}
