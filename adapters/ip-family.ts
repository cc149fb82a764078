import { isIPv4 } from "../runtime/core/endpoint.ts";
import { isIPv6 } from "./posix/ip.ts";

/** 4 or 6 of an IP address, 0 of anything else. */
export function ipFamily(host: string): 0 | 4 | 6 {
  if (isIPv4(host)) return 4;
  return host.includes(":") && isIPv6(host) ? 6 : 0;
}
