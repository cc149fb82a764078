import type { Flow } from "../stream/progress.ts";
import type { HttpSession } from "./session.ts";

/**
 * What `progress` measures of a request: its connection, where the runtime tells; else a body of ours
 * that streams, of which the runtime asks for no more as long as the peer does not take it, and what has
 * come of a request whose body somebody waits for. Undefined where nothing is known.
 */
export function flowOf(session: HttpSession): Flow | undefined {
  const { side, more } = session;
  const mark = more?.mark;
  const traffic = side.traffic?.(session);
  if (traffic !== undefined) {
    const { bytesIn, bytesOut, unsent, receives } = traffic;
    // All of the request is one thing that is under way.
    const incomplete = receives ? Math.max(1, bytesIn) : 0;
    return { bytesIn, incomplete, reads: true, peerEnded: false, bytesOut, unsent, mark };
  }
  const received = side.incoming?.(session);
  const streams = more?.cut !== undefined;
  if (received === undefined && !streams && mark === undefined) return undefined;
  const unsent = streams && !more.asked ? 1 : 0;
  return {
    bytesIn: received ?? 0,
    incomplete: received === undefined ? 0 : Math.max(1, received),
    reads: true,
    peerEnded: false,
    bytesOut: more?.bytesOut ?? 0,
    unsent,
    mark,
  };
}
