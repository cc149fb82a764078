import type { Flow } from "../stream/progress.ts";
import type { HttpSession } from "./session.ts";

/**
 * What `progress` measures of a request: its connection, where the runtime tells; else a body of ours
 * that streams, of which the runtime asks for no more as long as the peer does not take it. Undefined
 * where nothing is known.
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
  if (more?.cut === undefined) return undefined;
  const unsent = more.asked ? 0 : 1;
  const { bytesOut } = more;
  return { bytesIn: 0, incomplete: 0, reads: true, peerEnded: false, bytesOut, unsent, mark };
}
