/** What this process may do, before it tries. */
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import process from "node:process";
import type { Support } from "../core/contract.ts";
import type { Endpoint } from "../core/endpoint.ts";

/** Bit of CAP_NET_BIND_SERVICE, capabilities(7). */
const BIND_SERVICE = 10n;

/**
 * Whether this process may listen on a port.
 *
 * @throws what reading /proc throws.
 */
export function mayBind(endpoint: Endpoint): Support {
  if (!("port" in endpoint) || endpoint.port === 0) return true;
  const first = Number(readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8"));
  if (endpoint.port >= first) return true;
  const status = readFileSync("/proc/self/status", "utf8");
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  if ((effective >> BIND_SERVICE & 1n) === 1n) return true;
  return {
    reason: `this user may not listen on ports below ${first}`,
    remedy:
      `start it as root with "user", give it CAP_NET_BIND_SERVICE (AmbientCapabilities= of systemd), or take a port from ${first} on`,
  };
}

/** Whether this machine has the address of an endpoint. A name, which has to be looked up, counts. */
export function hasAddress(endpoint: Endpoint): Support {
  if (!("host" in endpoint)) return true;
  const host = endpoint.host.replace(/%.*$/, "");
  if (!/^[\d.]+$|:/.test(host) || /^(?:127\.|0\.0\.0\.0$|::1?$|2(?:2[4-9]|3\d)\.|ff)/i.test(host)) {
    return true;
  }
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  if (own.some(({ address }) => address.replace(/%.*$/, "") === host)) return true;
  const addresses = [
    ...new Set(own.filter(({ scopeid }) => !scopeid).map(({ address }) => address)),
  ];
  return {
    reason: "this machine does not have the address",
    remedy: `it has ${addresses.join(", ")}; * is all of them`,
  };
}

/** Whether this process can become somebody else. */
export function mayBecome(uid: number, gid: number): Support {
  const [own, group] = [process.geteuid?.(), process.getegid?.()];
  if (own === 0 || (own === uid && group === gid)) return true;
  return {
    reason: `only root can become another user: this is user ${own}`,
    remedy: 'start it as root, or leave "user" and "group" away',
  };
}
