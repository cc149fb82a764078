import { closedError, type PorticoError } from "../errors.ts";
import type { StreamPipeline } from "./pipeline.ts";
import type { StreamSession } from "./session.ts";

/** Nothing is left of a session's connection. */
export function closed(
  pipeline: StreamPipeline,
  session: StreamSession,
  error: PorticoError | undefined,
): void {
  const { service, deadlines } = pipeline;
  const wasCut = error !== undefined || session.over;
  session.handshake?.closed(error);
  session.phase = "closed";
  session.reason ??= error === undefined ? "peer" : "reset";
  if (error !== undefined && error.side !== "peer") service.report(error, session.id);
  session.stopWriting();
  service.banners?.gone(session.connection);
  session.closeReader(error === undefined ? closedError : () => error);
  session.way?.closed();
  if (session.gone) return;
  // Somebody may still read what has come; nobody does who was cut.
  if (wasCut || session.readToEnd) return pipeline.leave(session);
  session.active = deadlines.readClock();
  deadlines.touch(session);
  pipeline.conclude(session);
}
