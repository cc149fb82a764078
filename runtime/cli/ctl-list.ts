import { loadAdapter } from "../adapter.ts";
import { findServers } from "../control/servers.ts";
import { escape } from "../sinks/invisible.ts";
import { healthOf, stateOf } from "../services/health.ts";
import { columns, print, printJson } from "../terminal/output.ts";
import { span } from "../terminal/status.ts";

const HEAD = ["pid", "state", "up", "runtime", "services", "manifest"];

/** Lists the servers of this user. @returns 0. */
export async function list(json: boolean): Promise<number> {
  const servers = await findServers(await loadAdapter());
  if (json) {
    await printJson(servers.map(({ socket, status }) => {
      if (status instanceof Error) return { socket, error: status.message };
      const { pid, manifest, uptime, runtime, version } = status;
      const state = stateOf(status);
      const { services } = healthOf(status);
      return { pid, state, uptime, runtime, version, manifest, socket, services };
    }));
    return 0;
  }
  const rows = servers.map(({ socket, status }) =>
    status instanceof Error
      ? ["-", "silent", "-", "-", "-", `(${status.message}; its socket is ${socket})`]
      : [
        String(status.pid),
        stateOf(status),
        span(status.uptime),
        status.runtime,
        String(status.services.filter(({ state }) => state !== "disabled").length),
        escape(status.manifest),
      ]
  );
  await print(rows.length === 0 ? "no server of this user runs\n" : columns([HEAD, ...rows]));
  return 0;
}
