/** What becomes of the bytes of a stream: the hot path. A session that is piped has no reader and no hook. */
import type { StreamTable } from "../contract.ts";
import { isPromise } from "../hooks.ts";
import { keep } from "../keep.ts";
import { lookAtFirst } from "./first-chunk.ts";
import type { StreamPipeline } from "./pipeline.ts";
import type { StreamSession } from "./session.ts";

/** Push form: the hook `data` is called with each chunk. */
export function pushData(pipeline: StreamPipeline): StreamTable["data"] {
  const { deadlines, service } = pipeline;
  const { gather, hooks } = service;
  return (connection, chunk) => {
    const session = connection.data as StreamSession;
    if ((session.bytesIn += chunk.length) === chunk.length) lookAtFirst(session, chunk);
    if (session.phase !== "served") return false;
    session.active = deadlines.now;
    // A hook that has not come back may still look at it.
    let kept = false;
    gather.enter();
    try {
      const { way } = session;
      const result = way === undefined ? hooks.data!(session, chunk) : way.data(chunk);
      if (result !== undefined && isPromise(result)) {
        kept = true;
        pipeline.waitFor(session, result);
      }
    } catch (error) {
      pipeline.fail(session, error);
    }
    gather.leave();
    return kept;
  };
}

/** Pull form: chunks are kept for the reader. */
export function pullData(pipeline: StreamPipeline): StreamTable["data"] {
  const { deadlines, service } = pipeline;
  const { gather } = service;
  const lends = service.lends === "always";
  const onLoan = !service.keepsChunks && service.lends !== "never";
  return (connection, chunk) => {
    const session = connection.data as StreamSession;
    if ((session.bytesIn += chunk.length) === chunk.length) lookAtFirst(session, chunk);
    if (session.phase !== "served") return false;
    session.active = deadlines.now;
    const { way } = session;
    if (way === undefined) {
      if (onLoan && session.offer(chunk)) return false;
      session.feed(lends ? keep(chunk) : chunk);
      return !lends;
    }
    gather.enter();
    way.data(chunk);
    gather.leave();
    return false;
  };
}
