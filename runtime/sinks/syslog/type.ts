import { accessSync, constants, statSync } from "node:fs";
import type { Support } from "../../core/contract.ts";
import { messageOf } from "../../core/errors.ts";
import { checkLength } from "../link/datagram.ts";
import type { SinkType } from "../types.ts";
import { OPTIONS, type SyslogOptions } from "./options.ts";
import { parseTarget } from "./target.ts";

/** Records to a syslog server: `unix:/dev/log`, UDP, TCP, TLS. */
export const SYSLOG: SinkType = {
  schema: OPTIONS,
  paths: [],
  locate(options, absolute) {
    const { to, tls } = options as SyslogOptions;
    const endpoint = parseTarget(to);
    const at = (path: string | undefined): string | undefined => path && absolute(path);
    return {
      ...options,
      ...("path" in endpoint && !endpoint.path.startsWith("@") &&
        { to: `unix:${absolute(endpoint.path)}` }),
      ...(tls !== undefined &&
        { tls: { ...tls, ca: at(tls.ca), cert: at(tls.cert), key: at(tls.key) } }),
    };
  },
  probe(options) {
    const { to, tls } = options as SyslogOptions;
    const endpoint = parseTarget(to);
    for (const path of [tls?.ca, tls?.cert, tls?.key]) {
      if (path !== undefined) {
        const readable = probe(
          () => accessSync(path, constants.R_OK),
          "name a file that can be read",
        );
        if (readable !== true) return readable;
      }
    }
    if (!("path" in endpoint)) return true;
    const short = probe(() => checkLength(endpoint.path), "name a shorter one");
    if (short !== true || endpoint.path.startsWith("@")) return short;
    return probe(() => {
      if (!statSync(endpoint.path).isSocket()) throw new Error(`${endpoint.path} is no socket`);
      accessSync(endpoint.path, constants.W_OK);
    }, "start the syslog server, or name its socket");
  },
  open: async (options, host) =>
    (await import("./open.ts")).openSyslog(options as SyslogOptions, host),
};

function probe(attempt: () => void, remedy: string): Support {
  try {
    attempt();
    return true;
  } catch (error) {
    return { reason: messageOf(error), remedy };
  }
}
