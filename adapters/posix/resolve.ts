/** The host of an endpoint as an address; dns.lookup, which asks getaddrinfo(3). */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import type { InternetEndpoint } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { bindFailure } from "../errno.ts";

/** An IP address, and whether it stands for every address of the machine. */
export interface ResolvedHost {
  readonly host: string;
  readonly family: 4 | 6;
  /** `*`: IPv4 will do where IPv6 is switched off. */
  readonly any: boolean;
}

/**
 * @param failure makes the error of what cannot be resolved.
 * @throws PorticoError ENOTFOUND, of side `config` when it is to be bound.
 */
export async function resolveHost(
  endpoint: InternetEndpoint,
  failure: (endpoint: InternetEndpoint, reason: unknown) => PorticoError = bindFailure,
): Promise<ResolvedHost> {
  const { host } = endpoint;
  if (host === "*") return { host: "::", family: 6, any: true };
  const literal = isIP(host);
  if (literal !== 0) return { host, family: literal as 4 | 6, any: false };
  try {
    const found = await lookup(host);
    return { host: found.address, family: found.family as 4 | 6, any: false };
  } catch (error) {
    throw failure(endpoint, error);
  }
}

/** As {@link resolveHost}, for sockets that a runtime binds: none of them takes IPv4 for `*` by itself. */
export async function resolveLocal(endpoint: InternetEndpoint): Promise<ResolvedHost> {
  const found = await resolveHost(endpoint);
  return found.any && !hasIPv6() ? { host: "0.0.0.0", family: 4, any: true } : found;
}

/** Whether this machine has any IPv6 address, the loopback one included. */
function hasIPv6(): boolean {
  return Object.values(networkInterfaces()).some((each) =>
    each?.some((address) => address.family === "IPv6")
  );
}
