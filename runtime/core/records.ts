/** The records of a session. A sink makes words of them; here nothing is made that nobody wants. */
import { type Address, KnownPeer } from "./endpoint.ts";
import type { Fields, Level } from "./record.ts";
import type { HttpSession } from "./http/session.ts";
import type { Service } from "./service.ts";

/** What the records say of a session. */
export interface Recorded {
  readonly id: number;
  readonly remote: Address;
  readonly local: Address;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Why it ended. */
  readonly reason: string | undefined;
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
  if (outgoing) Object.assign(record, { outgoing });
  if (why !== undefined) Object.assign(record, why);
  log.pass(record);
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

/** `close`, with what went through; or with `found`, where that was not for us to see. */
export function recordClose(
  { log, plan }: Service,
  level: Level,
  session: Recorded,
  durationMs: number,
  found?: Fields,
): void {
  if (!log.wants(level, "close", session.id)) return;
  const { id, bytesIn, bytesOut, reason } = session;
  const service = plan.name;
  const time = Date.now();
  log.pass(
    found === undefined
      ? {
        time,
        level,
        event: "close",
        service,
        session: id,
        durationMs,
        bytesIn,
        bytesOut,
        reason,
      }
      : { time, level, event: "close", service, session: id, durationMs, ...found, reason },
  );
}

/** `open` or `refuse` of a request. The query is left out: it may hold what is nobody's business. */
export function recordRequest(
  service: Service,
  event: "open" | "refuse",
  session: HttpSession,
  why?: Fields,
): void {
  const level = event === "open" ? "debug" : "info";
  if (!service.log.wants(level, event, session.id)) return;
  const { method, url } = session.request;
  recordArrival(service, level, event, session, { method, path: pathOf(url), ...why });
}

/** `close` of a request, with its answer. */
export function recordResponse(
  { log, plan }: Service,
  session: HttpSession,
  durationMs: number,
): void {
  if (!log.wants("debug", "close", session.id)) return;
  const { id, request, status, reason, bytesOut } = session;
  log.emit("debug", "close", {
    service: plan.name,
    session: id,
    method: request.method,
    path: pathOf(request.url),
    status,
    durationMs,
    ...(bytesOut > 0 && { bytesOut }),
    reason,
  });
}

/** Of an absolute URL, as `request.url` always is. */
function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  const end = url.slice(start).search(/[?#]/);
  return start < 0 ? "/" : end < 0 ? url.slice(start) : url.slice(start, start + end);
}
