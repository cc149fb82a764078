/** The records of a session. A sink makes words of them; here nothing is made that nobody wants. */
import type { Refusal } from "./admission/candidate.ts";
import { type Address, KnownPeer } from "./endpoint.ts";
import { messageOf, type PorticoError } from "./errors.ts";
import type { Fields, Level, LogRecord } from "./record.ts";
import { viaOf } from "./prologue/via.ts";
import type { HttpSession } from "./http/session.ts";
import type { Log } from "./log.ts";
import type { Service } from "./service.ts";
import type { TlsInfo } from "./tls.ts";

/** What the records say of a session. */
export interface Recorded {
  readonly id: number;
  readonly remote: Address;
  readonly local: Address;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Why it ended. */
  readonly reason: string | undefined;
  /** The error that ended it, where one did. */
  readonly cause?: PorticoError | undefined;
  readonly tls?: TlsInfo | undefined;
}

/** What a `close` whose reason is `error` says of it. */
function causeOf({ reason, cause }: Pick<Recorded, "reason" | "cause">): Fields | undefined {
  if (reason !== "error" || cause === undefined) return undefined;
  return { code: cause.code, message: messageOf(cause) };
}

/** Mostly it is one address, that of a listener, again and again. */
let ours: Address | undefined;
let ourText = "";

function textOf(local: Address): string {
  if (local !== ours) {
    ours = local;
    ourText = local.toString();
  }
  return ourText;
}

/**
 * `refuse`, with its rule or limit: a warning where a limit has turned somebody away. Who lies about its
 * address needs no connection for it: of datagrams one such warning a second has to do for each limit.
 *
 * @param ordinary the level of what is no warning.
 */
export function recordRefusal(
  service: Service,
  ordinary: Level,
  session: Recorded & { readonly kind: string },
  why: Refusal,
  more?: Fields,
): void {
  const fields = more === undefined ? why : { ...more, ...why };
  const limited = "limit" in why && why.limit !== "drain";
  if (!limited || !service.log.wants("warn", "refuse", session.id)) {
    return recordArrival(service, ordinary, "refuse", session, fields);
  }
  if (session.kind !== "datagram") return recordArrival(service, "warn", "refuse", session, fields);
  const suppressed = service.warnings.pass(why.limit);
  if (suppressed === undefined) recordArrival(service, ordinary, "refuse", session, fields);
  else {
    const others = suppressed > 0 && { suppressed };
    recordArrival(service, "warn", "refuse", session, { ...fields, ...others });
  }
}

/** `open`, or `refuse` with its rule or limit. */
export function recordArrival(
  { log, plan, outgoing }: Service,
  level: Level,
  event: "open" | "refuse",
  session: Recorded,
  why?: Fields,
): void {
  if (!log.wants(level, event, session.id)) return;
  const record = {
    time: Date.now(),
    level,
    event,
    service: plan.name,
    session: session.id,
    remote: session.remote.toString(),
    local: textOf(session.local),
  };
  if (session.remote instanceof KnownPeer) Object.assign(record, session.remote.credentials);
  const via = viaOf(session.remote);
  if (via !== undefined) Object.assign(record, { via: via.remote.toString() });
  if (outgoing) Object.assign(record, { outgoing });
  if (log.asksTls && session.tls !== undefined) Object.assign(record, fieldsOf(session.tls));
  if (why !== undefined) Object.assign(record, why);
  log.pass(record);
}

/** What TLS has come to: nothing of it is secret. */
function fieldsOf({ version, cipher, serverName, alpn, peer, resumed }: TlsInfo): Fields {
  return {
    tlsVersion: version,
    tlsCipher: cipher,
    ...(serverName !== undefined && { tlsServerName: serverName }),
    ...(alpn !== undefined && { tlsAlpn: alpn }),
    ...(peer !== undefined && { tlsPeer: peer.subject, tlsFingerprint: peer.fingerprint }),
    tlsResumed: resumed,
  };
}

/** The end of a stream: counted, and recorded as `close`. */
export function recordEnd(
  service: Service,
  session: Recorded,
  durationMs: number,
  found?: Fields,
): void {
  service.countEnd(session.reason, durationMs);
  recordClose(service, service.level, session, durationMs, found);
}

/** `close`, with what went through, and what a plugin has `found` that took the socket. */
export function recordClose(
  service: Service,
  level: Level,
  session: Recorded,
  durationMs: number,
  found?: Fields,
): void {
  recordWhole(service, level, "close", session, durationMs, found);
}

/** `datagram`: all of it in one record, for sinks that ask for that. */
export function recordDatagram(service: Service, session: Recorded, durationMs: number): void {
  recordWhole(service, "info", "datagram", session, durationMs);
}

function recordWhole(
  { log, plan }: Service,
  level: Level,
  event: "close" | "datagram",
  session: Recorded,
  durationMs: number,
  found?: Fields,
): void {
  if (!log.wants(level, event, session.id)) return;
  const { id, bytesIn, bytesOut, reason } = session;
  const record = {
    time: Date.now(),
    level,
    event,
    service: plan.name,
    session: id,
    remote: session.remote.toString(),
    durationMs,
    // Of a socket that a plugin took, it alone knows.
    ...(found ?? { bytesIn, bytesOut }),
    reason,
  };
  if (event === "datagram") Object.assign(record, { local: textOf(session.local) });
  log.pass(Object.assign(record, causeOf(session)));
}

/** `open` or `refuse` of a request. The query is left out: it may hold what is nobody's business. */
export function recordRequest(service: Service, session: HttpSession, why?: Refusal): void {
  const { log } = service;
  if (why === undefined && !log.wants("debug", "open", session.id)) return;
  if (why !== undefined && !log.wants("warn", "refuse", session.id)) return;
  const { method, url } = session.request;
  const asked = { method, path: pathOf(url) };
  if (why === undefined) recordArrival(service, "debug", "open", session, asked);
  else recordRefusal(service, "info", session, why, asked);
}

/** Whether anything is recorded of any request that is answered. */
export function wantsRequests(log: Log): boolean {
  return log.wants("debug", "open") || log.wants("debug", "close") || log.wants("info", "request");
}

/** The end of a request, with its answer: `close`; and `request`, for sinks that ask for that. */
export function recordResponse(service: Service, session: HttpSession, durationMs: number): void {
  const { log } = service;
  const { id } = session;
  if (log.wants("debug", "close", id)) recordAnswer(service, "debug", "close", session, durationMs);
  if (log.wants("info", "request", id)) {
    recordAnswer(service, "info", "request", session, durationMs);
  }
}

function recordAnswer(
  { log, plan }: Service,
  level: Level,
  event: "close" | "request",
  session: HttpSession,
  durationMs: number,
): void {
  const { request, bytesOut } = session;
  const record: Record<string, unknown> & LogRecord = {
    time: Date.now(),
    level,
    event,
    service: plan.name,
    session: session.id,
    remote: session.remote.toString(),
  };
  if (event === "request") record["local"] = textOf(session.local);
  record["method"] = request.method;
  record["path"] = pathOf(request.url);
  record["status"] = session.status;
  record["durationMs"] = durationMs;
  if (bytesOut > 0) record["bytesOut"] = bytesOut;
  record["reason"] = session.reason;
  const cause = causeOf(session);
  log.pass(cause === undefined ? record : Object.assign(record, cause));
}

/** Of an absolute URL, as `request.url` always is. */
function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  if (start < 0) return "/";
  const hash = url.indexOf("#", start);
  const query = url.indexOf("?", start);
  const end = query < 0 || (hash >= 0 && hash < query) ? hash : query;
  return end < 0 ? url.slice(start) : url.slice(start, end);
}
