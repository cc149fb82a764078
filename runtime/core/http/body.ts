/** Bodies that stream: counted on their way, known to be over, and cut when their session must end. */
import { given } from "../arguments.ts";
import type { HttpSession } from "./session.ts";

/**
 * Whether a response says that its body comes bit by bit. Of all others the runtime makes one write,
 * and does best when nobody comes between.
 */
export function streams(response: Response): boolean {
  const { headers, body } = response;
  return (isEvents(response) || headers.has("transfer-encoding")) && body !== null;
}

/** Whether a body is a stream of server-sent events. */
export function isEvents({ headers }: Response): boolean {
  return headers.get("content-type")?.startsWith("text/event-stream") === true;
}

/** The same response, with a body that tells of its end, whatever that is. */
export function watched(response: Response, session: HttpSession, over: () => void): Response {
  const reader = response.body!.getReader();
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    session.cut = undefined;
    over();
  };
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      session.cut = (reason) => {
        reader.cancel(reason).catch(() => {});
        // Events end anywhere; of anything else the peer has to see that it is not whole.
        if (session.endless) controller.close();
        else controller.error(new DOMException(reason, "AbortError"));
        end();
      };
    },
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (ended) return;
        if (done) {
          controller.close();
          return end();
        }
        if (!(value instanceof Uint8Array)) {
          throw new TypeError(`the body of a Response holds bytes: received ${given(value)}`);
        }
        session.bytesOut += value.length;
        controller.enqueue(value);
      } catch (error) {
        if (ended) return;
        controller.error(error);
        session.reason ??= "error";
        end();
      }
    },
    cancel(reason) {
      session.reason ??= "peer";
      session.signalEnd("peer");
      end();
      return reader.cancel(reason);
    },
  });
  const { status, statusText, headers } = response;
  return new Response(body, { status, statusText, headers });
}
