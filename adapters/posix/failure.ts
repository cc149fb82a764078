/** What the kernel or a runtime said, as errors that name the endpoint or the peer. */
import type { BindableEndpoint } from "../../runtime/core/contract.ts";
import { type Address, type Endpoint, formatEndpoint } from "../../runtime/core/endpoint.ts";
import { type Code, codeOf, CODES, messageOf, PorticoError } from "../../runtime/core/errors.ts";
import type { Side } from "../../runtime/core/errors.ts";
import { errnoName } from "./linux.ts";

/** Names of errno(3) that the table of codes does not have, at a bind. */
const AT_BIND: Readonly<Record<string, Code>> = {
  EINVAL: "EADDRNOTAVAIL",
  ENODEV: "EADDRNOTAVAIL",
  ENOTDIR: "ENOENT",
  EROFS: "EACCES",
  EAI_AGAIN: "ENOTFOUND",
  EAI_NONAME: "ENOTFOUND",
  EAI_NODATA: "ENOTFOUND",
  ENODATA: "ENOTFOUND",
};

/**
 * Why an endpoint cannot be bound.
 *
 * @param reason an errno, or what a runtime threw.
 */
export function bindFailure(endpoint: BindableEndpoint, reason: number | unknown): PorticoError {
  const text = textOf(endpoint);
  const prefix = `cannot bind ${text}: `;
  if (reason instanceof PorticoError) {
    if (reason.message.includes(text)) return reason;
    return new PorticoError(reason.code, prefix + reason.message, {
      cause: reason,
      side: "config",
    });
  }
  const name = typeof reason === "number" ? errnoName(reason) : nameOf(reason);
  const code = Object.hasOwn(CODES, name) ? name as Code : AT_BIND[name] ?? "NOT_SUPPORTED";
  const why = Object.hasOwn(CODES, name)
    ? `${CODES[code][1]} (${name})`
    : typeof reason === "number"
    ? `${CODES[code][1]} (${name})`
    : messageOf(reason);
  return new PorticoError(code, prefix + why, {
    side: "config",
    ...(typeof reason !== "number" && { cause: reason }),
  });
}

/** An endpoint as text; of a socket that is there already, what it is bound to. */
function textOf(endpoint: BindableEndpoint): string {
  return "fd" in endpoint ? String(endpoint.address) : formatEndpoint(endpoint);
}

/**
 * Why an endpoint cannot be reached. Nothing of the start is wrong: the side is the peer's, or ours.
 *
 * @param reason an errno, or what was thrown.
 */
export function dialFailure(endpoint: Endpoint, reason: number | unknown): PorticoError {
  const cause = typeof reason === "number" ? undefined : reason;
  const name = typeof reason === "number" ? errnoName(reason) : nameOf(reason);
  const code = Object.hasOwn(CODES, name) ? name as Code : AT_BIND[name] ?? "NOT_SUPPORTED";
  const why = typeof reason === "number" || Object.hasOwn(CODES, name) || name in AT_BIND
    ? `${CODES[code][1]} (${name})`
    : messageOf(reason);
  const side = AT_SEND[code] ?? (CODES[code][0] === "config" ? "host" : CODES[code][0]);
  return new PorticoError(code, `cannot reach ${formatEndpoint(endpoint)}: ${why}`, {
    side,
    ...(cause !== undefined && { cause }),
  });
}

/** Why a call about a descriptor failed, as `what` says. */
export function callFailure(what: string, errno: number): PorticoError {
  const name = errnoName(errno);
  const code = Object.hasOwn(CODES, name) ? name as Code : "NOT_SUPPORTED";
  return new PorticoError(code, `${what}: ${CODES[code][1]} (${name})`, { side: "host" });
}

/** Deno's own errors carry a class name; those of network calls an errno name as well. */
function nameOf(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  if (typeof code === "string") return code;
  const name = (error as { name?: unknown }).name;
  if (name === "AddrInUse") return "EADDRINUSE";
  if (name === "AddrNotAvailable") return "EADDRNOTAVAIL";
  if (name === "PermissionDenied" || name === "NotCapable") return "EACCES";
  if (name === "NotFound") return "ENOENT";
  return "";
}

/** Errors of a send whose side depends on what was tried: nothing of the start is wrong any more. */
const AT_SEND: Readonly<Record<string, Side>> = {
  ENOENT: "peer",
  EADDRNOTAVAIL: "peer",
  ENOTFOUND: "peer",
  EADDRINUSE: "host",
  EPERM: "host",
};

/** Why a datagram did not reach a peer. */
export function sendFailure(name: string, to: Address, cause?: unknown): PorticoError {
  const options = cause === undefined ? {} : { cause };
  const known = codeOf({ code: name });
  if (known === undefined) {
    return new PorticoError("SEND_FAILED", `no datagram can be sent to ${to} (${name})`, options);
  }
  // The file of a Unix socket that we may not write to is its owner's choice; for UDP it is ours.
  const side = name === "EACCES" ? (to.host === "" ? "peer" : "host") : AT_SEND[name];
  const text = `${to}: ${CODES[known][1]} (${name})`;
  return new PorticoError(known, text, side === undefined ? options : { ...options, side });
}

/** Why a receive failed: an ICMP answer to an earlier datagram, or the kernel. */
export function receiveFailure(name: string, cause?: unknown): PorticoError {
  const options = cause === undefined ? {} : { cause };
  const known = codeOf({ code: name });
  if (known === undefined || CODES[known][0] === "config") {
    return new PorticoError(
      "RECEIVE_FAILED",
      `a datagram could not be received (${name})`,
      options,
    );
  }
  return new PorticoError(known, undefined, options);
}

/** A datagram that did not fit the buffer: its rest is gone, so nothing of it is delivered. */
export function truncated(from: Address, limit: number): PorticoError {
  const text =
    `${from}: a datagram is larger than the ${limit} bytes that are taken; it was dropped`;
  return new PorticoError("EMSGSIZE", text, { side: "peer" });
}

/** Datagrams that were given up because a queue had no room. */
export function dropped(count: number, to: Address, unix: boolean): PorticoError {
  const many = count === 1 ? "a datagram was" : `${count} datagrams were`;
  return unix
    ? new PorticoError("PEER_BUSY", `${to}: ${many} dropped, the peer's queue is full`)
    : new PorticoError("ENOBUFS", `${many} dropped, the send buffer is full`);
}
