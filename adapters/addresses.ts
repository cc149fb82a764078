/** Addresses as the runtimes tell them, and the abstract names of Unix sockets as either side writes them. */
import { Address, normalizeHost, type Transport } from "../runtime/core/endpoint.ts";

/** A Unix stream socket without a name of its own, as those are that connect. */
export const UNNAMED_UNIX: Address = new Address("unix", "", 0, "");

/** Of one side of a stream, as a runtime tells it. */
export function ipAddress(
  transport: Transport,
  host: string | undefined,
  port: number | undefined,
): Address {
  return new Address(transport, normalizeHost(host ?? ""), port ?? 0, "");
}

export function tcpAddress(host: string | undefined, port: number | undefined): Address {
  return ipAddress("tcp", host, port);
}

export function udpAddress(host: string, port: number): Address {
  return new Address("udp", normalizeHost(host), port, "");
}

/** What the socket is to the kernel that something travels by. */
export function socketTransport(transport: Transport): "tcp" | "unix" | "udp" | "unixgram" {
  if (transport === "http+unix") return "unix";
  return transport === "tls" || transport === "http" || transport === "https" ? "tcp" : transport;
}

/** Whether who listens there does so on every address: then each connection is asked which one it is. */
export function isWildcard({ host }: Address): boolean {
  return host === "::" || host === "0.0.0.0";
}

/** From our `@name` in the abstract namespace to the kernel's, which begins with NUL. */
export function toKernelPath(path: string): string {
  return path.replace(/^@/, "\0");
}

/** The other way. */
export function fromKernelPath(path: string): string {
  return path.replace(/^\0/, "@");
}
