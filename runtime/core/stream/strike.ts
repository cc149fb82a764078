import type { Calls } from "../pending.ts";
import type { StreamPipeline } from "./pipeline.ts";
import type { StreamSession } from "./session.ts";

/** A deadline has struck. What was written is sent, as far as the kernel takes it. */
export function strike(
  pipeline: StreamPipeline,
  calls: Calls<StreamSession>,
  session: StreamSession,
  reason: string,
): void {
  if (reason === "lifetime") return pipeline.cutOne(session, reason);
  if (reason === "handler") return strikeCalls(pipeline, calls, session);
  if (session.phase === "closed") return pipeline.leave(session);
  if (session.phase === "handshake") return pipeline.refuse(session, { limit: "handshake" });
  session.flush();
  // What a peer does not take is of no use to it: with a reset the kernel keeps nothing of it.
  session.kill(reason, reason !== "progress");
}

/** Its session ends; hooks that do not come back for that either are not waited for any more. */
function strikeCalls(
  pipeline: StreamPipeline,
  calls: Calls<StreamSession>,
  session: StreamSession,
): void {
  if (!session.over) {
    calls.warn(session);
    return pipeline.cutOne(session, "handler");
  }
  calls.giveUp(session);
  pipeline.conclude(session);
}
