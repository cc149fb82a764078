/**
 * What an errno means: the one table of all adapters. The same errno has another code, another text or
 * another side by what was tried, so each situation has its rules and its function here.
 */
import type { BindableEndpoint, NamedEndpoint, OptionName } from "../runtime/core/contract.ts";
import { type Address, formatEndpoint } from "../runtime/core/endpoint.ts";
import {
  type Code,
  codeOf,
  CODES,
  isWithheld,
  messageOf,
  PorticoError,
  type Side,
} from "../runtime/core/errors.ts";
import { errnoName } from "./posix/linux.ts";

/** An errno by number or name, or what a runtime threw. */
export type Reason = unknown;

/** Names that {@link CODES} lacks, of errno(3) and getaddrinfo(3), whatever was tried. */
const SYNONYMS: Readonly<Record<string, Code>> = {
  ENOTDIR: "ENOENT",
  EROFS: "EACCES",
  ENODEV: "EADDRNOTAVAIL",
  EAI_AGAIN: "ENOTFOUND",
  EAI_NONAME: "ENOTFOUND",
  EAI_NODATA: "ENOTFOUND",
  ENODATA: "ENOTFOUND",
};

/** The names of Deno's errors, some of which have no errno beside it. */
const CLASSES: Readonly<Record<string, Code>> = {
  AddrInUse: "EADDRINUSE",
  AddrNotAvailable: "EADDRNOTAVAIL",
  ConnectionRefused: "ECONNREFUSED",
  ConnectionReset: "ECONNRESET",
  NotFound: "ENOENT",
  PermissionDenied: "EACCES",
  NotCapable: "EACCES",
  TimedOut: "ETIMEDOUT",
};

/** What differs from {@link CODES} and {@link SYNONYMS} in one situation. */
interface Rules {
  /** The code of what neither knows. */
  readonly fallback: Code;
  readonly codes?: Readonly<Record<string, Code>>;
  readonly texts?: Readonly<Partial<Record<Code, string>>>;
  /** Whether a code means anything here; all do when silent. */
  knows?(code: Code): boolean;
  /** Who is at fault; undefined: as {@link CODES} says. */
  side(code: Code): Side | undefined;
}

/** listen(2) and bind(2): whatever it is, the start cannot go on. */
const BIND: Rules = {
  fallback: "NOT_SUPPORTED",
  // ip(7), ipv6(7): an address that cannot be bound, as a link-local one without its zone.
  codes: { EINVAL: "EADDRNOTAVAIL" },
  side: () => "config",
};

/** connect(2), of streams and of datagrams. */
const CONNECT: Rules = {
  fallback: "NOT_SUPPORTED",
  codes: {
    EINVAL: "EADDRNOTAVAIL",
    // unix(7): a socket of another type, or a file that is none.
    EPROTOTYPE: "ECONNREFUSED",
    // A Unix listener whose queue is full.
    EAGAIN: "ECONNREFUSED",
  },
  texts: {
    ECONNREFUSED: "connection refused",
    ETIMEDOUT: "nobody has answered in time",
    ECONNRESET: "the peer closed the connection at once",
    // Every port is in use, or there is no address of the peer's family.
    EADDRNOTAVAIL: "this machine has no address to reach it from",
  },
  side: reachingSide,
};

const CONNECT_UNIX: Rules = {
  ...CONNECT,
  // The only thing about a path that can be invalid is its length.
  codes: { ...CONNECT.codes, EINVAL: "ENAMETOOLONG" },
  side: reachingUnixSide,
};

/** sendmmsg(2) of datagrams. */
const SEND: Rules = { fallback: "SEND_FAILED", side: reachingSide };

const SEND_UNIX: Rules = { ...SEND, side: reachingUnixSide };

/** recvmmsg(2): an ICMP answer to an earlier datagram, or the kernel. */
const RECEIVE: Rules = {
  fallback: "RECEIVE_FAILED",
  // What stops a start is none of a peer's answers.
  knows: (code) => CODES[code][0] !== "config",
  side: () => undefined,
};

const ACCEPT: Rules = { fallback: "ACCEPT_FAILED", side: () => "host" };

/** Calls about a descriptor that is there already. */
const CALL: Rules = { fallback: "NOT_SUPPORTED", side: () => "host" };

/** setsockopt(2) before a socket is served. */
const OPTION: Rules = { fallback: "NOT_SUPPORTED", side: () => "config" };

/**
 * Who is at fault for what did not reach a peer. Nothing of the start is wrong any more: what the peer
 * does not have is its own affair, the rest is this machine's.
 */
function reachingSide(code: Code): Side | undefined {
  if (code === "ENOENT" || code === "ENOTFOUND") return "peer";
  return CODES[code][0] === "config" ? "host" : undefined;
}

/** unix(7): who may write to the file is for those to say who listens there, not for our firewall. */
function reachingUnixSide(code: Code): Side | undefined {
  return code === "EACCES" ? "peer" : reachingSide(code);
}

/** accept(2) hands on what happened to one connection, which is gone; the next one is not affected. */
const ONE_PEER: ReadonlySet<string> = new Set([
  "EINTR",
  "ECONNABORTED",
  "ECONNRESET",
  "EPERM",
  "EPROTO",
  "ENETDOWN",
  "ENETUNREACH",
  "ENOPROTOOPT",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENONET",
]);

/** The queue is full, or too many descriptors of this user are under way; unix(7). */
const FULL: ReadonlySet<string> = new Set(["EAGAIN", "ENOBUFS", "ETOOMANYREFS"]);

/** The other end of a pair of sockets is closed. */
const DISCONNECTED: ReadonlySet<string> = new Set(["EPIPE", "ECONNRESET", "ENOTCONN"]);

/** Why an endpoint cannot be bound or listened on: an error of side `config` that names it. */
export function bindFailure(endpoint: BindableEndpoint, reason: Reason): PorticoError {
  const text = "fd" in endpoint ? String(endpoint.address) : formatEndpoint(endpoint);
  if (!(reason instanceof PorticoError)) return explain(BIND, `cannot bind ${text}: `, reason);
  if (reason.message.includes(text)) return reason;
  const message = `cannot bind ${text}: ${reason.message}`;
  return new PorticoError(reason.code, message, { cause: reason, side: "config" });
}

/** Whether `::` cannot be bound because there is no IPv6 here; `Bun.listen` has no word for it. */
export function lacksIPv6(reason: Reason): boolean {
  if (reason instanceof PorticoError && reason.cause !== undefined) return lacksIPv6(reason.cause);
  const text = `${errnoOf(reason)} ${messageOf(reason)}`;
  return /EAFNOSUPPORT|EADDRNOTAVAIL|^ Failed to listen at ::$/.test(text);
}

/**
 * Why an endpoint cannot be connected to, or dialed. To be refused is no mistake of the configuration:
 * the side is the peer's, or this machine's.
 */
export function connectFailure(endpoint: NamedEndpoint, reason: Reason): PorticoError {
  const rules = "path" in endpoint ? CONNECT_UNIX : CONNECT;
  return explain(rules, `cannot connect to ${formatEndpoint(endpoint)}: `, reason);
}

/** Why a datagram did not reach a peer. */
export function sendFailure(reason: Reason, to: Address): PorticoError {
  return explain(to.host === "" ? SEND_UNIX : SEND, `${to}: `, reason);
}

/** Why a receive failed. */
export function receiveFailure(reason: Reason): PorticoError {
  return explain(RECEIVE, "", reason);
}

/** Why nobody can be accepted. `then` says what follows, where something does. */
export function acceptFailure(reason: Reason, then = ""): PorticoError {
  const failure = explain(ACCEPT, "", reason);
  if (then === "") return failure;
  return new PorticoError(failure.code, failure.message + then, failure);
}

/** Whether an accept failed for one peer alone, which is gone: accepting goes on at once. */
export function concernsOnePeer(reason: Reason): boolean {
  return ONE_PEER.has(errnoOf(reason));
}

/** Why a call about a descriptor failed, as `what` says. */
export function callFailure(what: string, errno: number): PorticoError {
  return explain(CALL, `${what}: `, errno);
}

/** Why the kernel does not take the value of an option. */
export function optionFailure(name: OptionName, wanted: unknown, errno: number): PorticoError {
  const { code, side } = explain(OPTION, "", errno);
  const text = code === "EPERM"
    ? "it needs a capability"
    : name === "device"
    ? "there is no such device"
    : "the kernel refuses it";
  const message = `${name} ${JSON.stringify(wanted)}: ${text} (${errnoName(errno)})`;
  return new PorticoError(code, message, { side });
}

/** Whether descriptors have run out, in this process or on this machine. */
export function isExhausted(reason: Reason): boolean {
  return /^E[MN]FILE$/.test(errnoOf(reason));
}

/**
 * Whether something has failed for want of descriptors or memory, by what is said of it: runtimes that load modules
 * and libraries have no code for that.
 */
export function isShortage(error: unknown): boolean {
  return /\bE[MN]FILE\b|\bENOMEM\b|Too many open files|Cannot allocate memory|os error (?:12|23|24)\b/i
    .test(`${(error as { code?: unknown } | null | undefined)?.code} ${String(error)}`);
}

/** Whether there is no room now for what is sent, and there may be later. */
export function isFull(errno: number): boolean {
  return FULL.has(errnoName(errno));
}

/** Whether nobody is left at the other end of a pair of sockets. */
export function isDisconnected(errno: number): boolean {
  return DISCONNECTED.has(errnoName(errno));
}

/** The name of an errno(3), or of an error of getaddrinfo(3); empty for what has none. */
function errnoOf(reason: Reason): string {
  if (typeof reason === "number") return errnoName(reason);
  if (typeof reason === "string") return reason;
  const { code, name = "", message = "" } = Object(reason) as Partial<NodeJS.ErrnoException>;
  if (typeof code === "string") return code;
  // Deno has some errnos in messages alone, and none when a name cannot be resolved.
  const number = /\(os error (\d+)\)/.exec(message)?.[1];
  if (number !== undefined) return errnoName(Number(number));
  if (/failed to lookup address/.test(message)) return "ENOTFOUND";
  return CLASSES[name] ?? (reason instanceof Error ? "" : String(reason));
}

function explain(
  { codes = {}, texts = {}, fallback, knows, side }: Rules,
  prefix: string,
  reason: Reason,
): PorticoError {
  if (reason instanceof PorticoError) return reason;
  const name = errnoOf(reason);
  const named = codes[name] ?? codeOf({ code: name }) ?? SYNONYMS[name];
  const known = named !== undefined && knows?.(named) !== false ? named : undefined;
  const code = known ?? fallback;
  // A runtime says more of what has no name here than a name could.
  const why = isWithheld(reason) || (known === undefined && isThrown(reason))
    ? messageOf(reason)
    : `${texts[code] ?? CODES[code][1]} (${name})`;
  return new PorticoError(code, prefix + why, {
    ...causeOf(reason),
    side: side(code) ?? CODES[code][0],
  });
}

function isThrown(reason: Reason): boolean {
  return typeof reason === "object" && reason !== null;
}

function causeOf(reason: Reason): { cause?: unknown } {
  return isThrown(reason) ? { cause: reason } : {};
}
