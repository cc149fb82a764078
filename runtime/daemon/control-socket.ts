import type { Control } from "../control/control.ts";
import type { ControlSocket } from "../control/socket.ts";
import type { Adapter } from "../core/contract.ts";
import type { Inherited } from "../core/descriptors.ts";
import { toPorticoError } from "../core/errors.ts";
import { errorFields, type Log } from "../core/log.ts";
import { codeOf } from "../core/errors.ts";
import type { LoadedManifest } from "./loaded-manifest.ts";

/**
 * Opens the control socket of a manifest.
 *
 * @param handed the predecessor's, which is listened on where the manifest means the same path.
 * @param log where it is said that there is none.
 * @returns undefined where the manifest wants none, or where it does not ask for one and none can be had.
 * @throws PorticoError when another server has it, or it cannot be had where the manifest says.
 */
export async function openControlSocket(
  control: Control,
  { plan }: Pick<LoadedManifest, "plan">,
  adapter: Adapter,
  handed: Inherited | undefined,
  log: Log,
): Promise<ControlSocket | undefined> {
  const [{ announce, controlPath }, { openControl }] = await Promise.all([
    import("../control/path.ts"),
    import("../control/socket.ts"),
  ]);
  let path: string | undefined;
  try {
    path = controlPath(plan);
  } catch (error) {
    // Where nobody has asked for one, a server is not refused for the want of it.
    if (handed === undefined) {
      log.emit("warn", "error", errorFields(toPorticoError(error, "HOOK_FAILED")));
    }
    path = handed?.address.path;
  }
  if (path === undefined) return undefined;
  const same = handed?.address.path === path;
  try {
    const socket = await openControl(control, same ? handed : path, adapter);
    const withdraw = announce(path);
    return {
      ...socket,
      close(keep) {
        if (keep !== true) withdraw();
        return socket.close(keep);
      },
    };
  } catch (error) {
    // Another server of this manifest is one too many.
    if (plan.control !== undefined || codeOf(error) === "EADDRINUSE") throw error;
    log.emit("warn", "error", errorFields(toPorticoError(error, "HOOK_FAILED")));
    return undefined;
  }
}
