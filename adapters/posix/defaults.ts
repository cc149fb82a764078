/** What a socket has when nobody says anything, read from sockets that are opened and closed for it. */
import type { OptionName } from "../../runtime/core/contract.ts";
import type { Transport } from "../../runtime/core/endpoint.ts";
import { protection } from "../keep-alive.ts";
import { openLibc } from "./libc.ts";
import { AF_INET, AF_INET6, AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_STREAM } from "./linux.ts";
import { concerns, getOption, OPTION_NAMES } from "./options.ts";

const KINDS: readonly (readonly [Transport, number, number])[] = [
  ["tcp", AF_INET6, SOCK_STREAM],
  ["udp", AF_INET6, SOCK_DGRAM],
  ["unix", AF_UNIX, SOCK_STREAM],
  ["unixgram", AF_UNIX, SOCK_DGRAM],
];

/**
 * By option and transport, as text in the manifest's units; TLS and HTTP have those of `tcp`.
 *
 * @throws PorticoError NOT_SUPPORTED without FFI.
 */
export async function kernelDefaults(): Promise<
  Record<OptionName, Partial<Record<Transport, string>>>
> {
  const libc = await openLibc();
  const defaults = {} as Record<OptionName, Partial<Record<Transport, string>>>;
  for (const name of OPTION_NAMES) defaults[name] = {};
  for (const [transport, family, type] of KINDS) {
    let used = family;
    let fd = libc.socket(used, type | SOCK_CLOEXEC, 0);
    if (fd < 0 && family === AF_INET6) {
      used = AF_INET;
      fd = libc.socket(used, type | SOCK_CLOEXEC, 0);
    }
    if (fd < 0) continue;
    for (const name of OPTION_NAMES) {
      if (!concerns(name, transport)) continue;
      const found = getOption(libc, fd, used, name);
      // -1 stands for the default of the system: it is the same for both families.
      if (found !== undefined) {
        defaults[name][transport] = found === "-1" ? systemDefault(name) : found;
      }
    }
    libc.close(fd);
  }
  // What a server sets itself where nobody says anything.
  const ours = protection({});
  defaults.keepAlive.tcp = `${ours.keepAlive! / 1000}s`;
  defaults.userTimeout.tcp = `${ours.userTimeout!}ms`;
  return defaults;
}

function systemDefault(name: OptionName): string {
  return name === "ttl" ? "64" : "-1";
}
