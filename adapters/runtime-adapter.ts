/** The whole adapter of a runtime: what serves sessions, and what a server needs beside that. */
import type { Adapter } from "../runtime/core/contract.ts";
import { ownsAddress } from "./own-addresses.ts";
import { command } from "./program.ts";
import { type Runtime, sessionAdapter } from "./session-adapter.ts";
import { thread } from "./thread.ts";

/** Puts it together. */
export function runtimeAdapter(runtime: Runtime): Adapter {
  return {
    ...sessionAdapter(runtime),
    now: runtime.now,
    command,
    thread,
    defaults: () => defaultsWith(runtime.backlog),
    ownsAddress,
  };
}

/** What options are at when a manifest is silent: the kernel's defaults, and those that are ours. */
async function defaultsWith(backlog: number): ReturnType<Adapter["defaults"]> {
  const { kernelDefaults } = await import("./posix/defaults.ts");
  const defaults = await kernelDefaults();
  return {
    ...defaults,
    backlog: { tcp: String(backlog), unix: String(backlog) },
    noDelay: { tcp: "true" },
    mode: { unix: "umask", unixgram: "umask" },
    multicast: { udp: "none" },
  };
}
