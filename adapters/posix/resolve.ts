/** The host of an endpoint as an address; dns.lookup, which asks getaddrinfo(3). */
import { lookup } from "node:dns/promises";
import type { InternetEndpoint } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { bindFailure, lacksIPv6 } from "../errno.ts";
import { ipFamily } from "../../runtime/core/ip.ts";

/** An IP address, and whether it stands for every address of the machine. */
export interface ResolvedHost {
  readonly host: string;
  readonly family: 4 | 6;
  /** `*`: IPv4 will do where there is no IPv6. */
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
  const literal = ipFamily(host);
  if (literal !== 0) return { host, family: literal, any: false };
  try {
    const found = await lookup(host);
    return { host: found.address, family: found.family as 4 | 6, any: false };
  } catch (error) {
    throw failure(endpoint, error);
  }
}

/**
 * Opens what an endpoint means here: for `*`, IPv4 alone where the kernel, or who has started us, does
 * not let us have IPv6. To ask is no use: addresses may be listed where no socket can be made.
 *
 * @throws what `open` throws.
 */
export async function openResolved<Made>(
  endpoint: InternetEndpoint,
  open: (host: ResolvedHost) => Made | Promise<Made>,
): Promise<Made> {
  const found = await resolveHost(endpoint);
  try {
    return await open(found);
  } catch (error) {
    if (!found.any || !lacksIPv6(error)) throw error;
    return await open({ host: "0.0.0.0", family: 4, any: false });
  }
}
