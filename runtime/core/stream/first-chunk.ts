import type { StreamSession } from "./session.ts";

/** A record of TLS begins so: a handshake, of version 3. */
const HANDSHAKE = 0x16;
const MAJOR = 3;

/**
 * A client that speaks TLS where nobody does is told of, once for each session: its operator looks for the fault
 * elsewhere. What becomes of it is the plugin's affair. Who only passes it on may well be meant to.
 */
export function lookAtFirst(session: StreamSession, chunk: Uint8Array): void {
  if (chunk[0] !== HANDSHAKE || chunk[1] !== MAJOR) return;
  const { service, id, local } = session;
  if (service.outgoing || session.way !== undefined || session.tls !== undefined) return;
  const suppressed = service.warnings.pass("clear");
  const level = suppressed === undefined ? "debug" : "warn";
  if (!service.log.wants(level, "error", id)) return;
  service.log.emit(level, "error", {
    service: service.plan.name,
    session: id,
    code: "PROTOCOL_ERROR",
    side: "peer",
    message: `the client begins TLS, and ${local} speaks in clear`,
    ...(suppressed !== undefined && suppressed > 0 && { suppressed }),
  });
}
