/** Why a connect failed, on every runtime. */
import type { NamedEndpoint } from "../../runtime/core/contract.ts";
import { formatEndpoint } from "../../runtime/core/endpoint.ts";
import { type Code, CODES, messageOf, PorticoError } from "../../runtime/core/errors.ts";

/** What an errno means to who connects, where that is something else than to who listens. */
const TEXTS: Readonly<Partial<Record<Code, string>>> = {
  ECONNREFUSED: "connection refused",
  ETIMEDOUT: "nobody has answered in time",
  ECONNRESET: "the peer closed the connection at once",
};

/** Names that the table of codes does not have. */
const OTHERS: Readonly<Record<string, Code>> = {
  EAI_AGAIN: "ENOTFOUND",
  EAI_NONAME: "ENOTFOUND",
  EAI_NODATA: "ENOTFOUND",
  ENODATA: "ENOTFOUND",
  ENOTDIR: "ENOENT",
  // A datagram socket, or a file that is no socket.
  EPROTOTYPE: "ECONNREFUSED",
  // A Unix socket whose queue is full.
  EAGAIN: "ECONNREFUSED",
};

/** Deno's names of errors without an errno. */
const CLASSES: Readonly<Record<string, Code>> = {
  ConnectionRefused: "ECONNREFUSED",
  ConnectionReset: "ECONNRESET",
  NotFound: "ENOENT",
  PermissionDenied: "EACCES",
  NotCapable: "EACCES",
  TimedOut: "ETIMEDOUT",
};

/**
 * @param reason what a runtime threw, or a code.
 * @returns an error of the peer's side where it is not this machine's: to be refused is no mistake of
 * the configuration.
 */
export function connectFailure(endpoint: NamedEndpoint, reason: unknown): PorticoError {
  const to = `cannot connect to ${formatEndpoint(endpoint)}: `;
  const { code: thrown, name, message = "" } = Object(reason) as Partial<NodeJS.ErrnoException>;
  const text = typeof reason === "string" ? reason : thrown;
  // Deno gives no errno when a name cannot be resolved.
  const unknown = /failed to lookup address/.test(message)
    ? "ENOTFOUND"
    // The only thing about a path that is invalid is its length.
    : "path" in endpoint && text === "EINVAL"
    ? "ENAMETOOLONG"
    : undefined;
  const code = unknown ?? known(text) ?? CLASSES[name ?? ""];
  const cause = typeof reason === "string" ? {} : { cause: reason };
  if (code === undefined) {
    return new PorticoError("NOT_SUPPORTED", to + messageOf(reason), { ...cause, side: "peer" });
  }
  const side = code === "EACCES" || code === "EPERM" ? "config" : CODES[code][0];
  return new PorticoError(code, `${to}${TEXTS[code] ?? CODES[code][1]} (${text ?? code})`, {
    ...cause,
    side: code === "ENOENT" || code === "ENOTFOUND" ? "peer" : side,
  });
}

function known(name: string | undefined): Code | undefined {
  if (name === undefined) return undefined;
  return Object.hasOwn(CODES, name) ? name as Code : OTHERS[name];
}
