/**
 * Who is at fault. It decides the record's level: `peer` debug, `plugin` error, `host` warn;
 * `config` stops the start.
 */
export type Side = "peer" | "plugin" | "host" | "config";

/**
 * The one table of error codes. System errors keep their errno names (errno(3)); the others are
 * Portico's own. The text is the default message.
 */
export const CODES = {
  // The peer, or the way to it.
  ECONNRESET: ["peer", "the peer reset the connection"],
  EPIPE: ["peer", "the peer no longer reads"],
  ETIMEDOUT: ["peer", "the peer stopped answering"],
  ECONNREFUSED: ["peer", "nobody listens at the peer's address"],
  EHOSTUNREACH: ["peer", "no route to the peer"],
  ENETUNREACH: ["peer", "no route to the peer's network"],
  ENOTCONN: ["peer", "the connection is gone"],
  ECONNABORTED: ["peer", "the peer left before it was accepted"],
  FRAME_TOO_LONG: ["peer", "a frame is longer than allowed"],
  PROTOCOL_ERROR: ["peer", "the peer broke the protocol"],
  UNEXPECTED_END: ["peer", "the peer ended in the middle of a frame"],
  WRITE_LIMIT: ["peer", "the peer reads too slowly: the write buffer is full"],
  PEER_UNNAMED: ["peer", "the sender has no address to answer to"],
  PEER_BUSY: ["peer", "the peer's queue is full"],
  TLS_FAILED: ["peer", "the TLS handshake failed"],
  TLS_INJECTION: ["peer", "the peer sent more in clear when TLS was to begin"],
  // The plugin.
  HOOK_FAILED: ["plugin", "a hook of the plugin failed"],
  EMSGSIZE: ["plugin", "a datagram is larger than the transport carries"],
  SESSION_CLOSED: ["plugin", "the session is over"],
  // This machine.
  EMFILE: ["host", "no file descriptor is left in this process"],
  ENFILE: ["host", "no file descriptor is left on this machine"],
  ENOBUFS: ["host", "the kernel is out of buffers"],
  ENOMEM: ["host", "the kernel is out of memory"],
  ACCEPT_FAILED: ["host", "a connection could not be accepted"],
  RECEIVE_FAILED: ["host", "a datagram could not be received"],
  SEND_FAILED: ["host", "a datagram could not be sent"],
  SINK_FAILED: ["host", "a sink does not work"],
  NOT_RUNNING: ["host", "no server is running there"],
  CONTROL_FAILED: ["host", "the server could not do it"],
  // The start.
  EADDRINUSE: ["config", "the address is in use"],
  EADDRNOTAVAIL: ["config", "this machine does not have the address"],
  EACCES: ["config", "permission denied"],
  EPERM: ["config", "operation not permitted"],
  ENOENT: ["config", "no such file or directory"],
  ENOTFOUND: ["config", "the host name is not known"],
  ENAMETOOLONG: ["config", "the path of a Unix socket is too long"],
  TLS_INVALID: ["config", "the certificate or the key is wrong"],
  NOT_SUPPORTED: ["config", "this runtime on this machine cannot do it"],
  MANIFEST_NOT_FOUND: ["config", "there is no manifest"],
  MANIFEST_SYNTAX: ["config", "the manifest cannot be read"],
  MANIFEST_INVALID: ["config", "the manifest is wrong"],
  PLUGIN_NOT_FOUND: ["config", "the plugin cannot be found"],
  PLUGIN_INVALID: ["config", "the module is no plugin"],
  PLUGIN_OPTIONS: ["config", "the plugin rejects its options"],
  START_FAILED: ["config", "the plugin's start failed"],
  START_TIMEOUT: ["config", "the plugin's start did not return in time"],
  COMPILE_FAILED: ["config", "the executable cannot be made"],
  CONFIG_UNREADABLE: ["config", "the configuration cannot be read"],
  USAGE: ["config", "the call is wrong"],
} as const satisfies Record<string, readonly [Side, string]>;

const SIDES: readonly Side[] = ["peer", "plugin", "host", "config"];

/** A code of {@link CODES}. */
export type Code = keyof typeof CODES;

/** What may be said of a {@link PorticoError} beside its code and message. */
export interface PorticoErrorOptions {
  readonly cause?: unknown;
  readonly side?: Side;
  readonly at?: string | undefined;
  readonly hint?: string | undefined;
}

/**
 * An error that names its code and the side at fault; `cause` holds what the runtime threw. A plugin whose
 * peer has broken the protocol throws `new PorticoError("PROTOCOL_ERROR", "HELO first")`: that is nobody's
 * bug, so the record is one of level debug; what was written is sent, and the session ends in order.
 */
export class PorticoError extends Error {
  override readonly name = "PorticoError";
  readonly code: Code;
  readonly side: Side;
  /** Where in the plugin's code, `/srv/app/plugin.ts:12:5`, when that is known. */
  readonly at?: string;
  /** What was probably meant, or what helps. */
  readonly hint?: string;

  /** @param side differs from the table's where the same errno means something else, as EACCES on a send. */
  constructor(code: Code, message?: string, options?: PorticoErrorOptions) {
    super(message ?? CODES[code][1], options);
    this.code = code;
    this.side = options?.side ?? CODES[code][0];
    if (options?.at !== undefined) this.at = options.at;
    if (options?.hint !== undefined) this.hint = options.hint;
  }
}

/** Whether it is a shortage of this machine, which passes. */
export function isShortage(error: unknown): boolean {
  const code = codeOf(error);
  return code === "EMFILE" || code === "ENFILE" || code === "ENOBUFS" || code === "ENOMEM";
}

/** The `code` of whatever was thrown, when the table knows it. */
export function codeOf(error: unknown): Code | undefined {
  try {
    if (isWithheld(error)) return "EACCES";
    const code = (error as { code?: unknown } | null | undefined)?.code;
    return typeof code === "string" && Object.hasOwn(CODES, code) ? code as Code : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the runtime itself was not given a permission; its message names the flag. */
export function isWithheld(error: unknown): boolean {
  const { name, code } = Object(error) as { name?: unknown; code?: unknown };
  return name === "NotCapable" || code === "ERR_ACCESS_DENIED";
}

/** Turns what a runtime threw into a {@link PorticoError}; `fallback` names what has no known code. */
export function toPorticoError(error: unknown, fallback: Code, side?: Side): PorticoError {
  if (error instanceof PorticoError) return error;
  const code = codeOf(error) ?? fallback;
  return new PorticoError(code, messageOf(error), { cause: error, ...(side && { side }) });
}

/** Characters of a message that are kept. */
const MESSAGE_MAX = 8192;

/** The message of anything that can be thrown, in bounds: a plugin's errors may be any object. */
export function messageOf(error: unknown): string {
  try {
    const text = error instanceof Error
      ? String(error.message || error.name)
      : typeof error === "string"
      ? error
      : `threw ${String(error)}`;
    return text.length <= MESSAGE_MAX ? text : `${text.slice(0, MESSAGE_MAX)}…`;
  } catch {
    return "threw an object without words";
  }
}

/**
 * Whether it is one of ours; a plugin may have a copy of this package, with a class of its own. Of an object
 * of a plugin's even that question may throw.
 */
export function isPorticoError(thrown: unknown): thrown is PorticoError {
  try {
    if (thrown instanceof PorticoError) return true;
    if (!(thrown instanceof Error) || thrown.name !== "PorticoError") return false;
    return codeOf(thrown) !== undefined && SIDES.includes((thrown as PorticoError).side);
  } catch {
    return false;
  }
}

/** What whoever still reads from a session that is over, or sends to it, is told. */
export function closedError(): PorticoError {
  return new PorticoError("SESSION_CLOSED");
}
