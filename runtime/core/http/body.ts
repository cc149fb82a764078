/** Bodies that stream: counted on their way, known to be over, and cut when their session must end. */
import { bytesOf } from "../exchange.ts";
import type { HttpSession } from "./session.ts";

/** Whether a body is a stream of server-sent events. */
export function isEvents({ headers }: Response): boolean {
  return headers.get("content-type")?.startsWith("text/event-stream") === true;
}

/**
 * The same response, with a body that tells of its end, whatever that is.
 *
 * @param failed before `over`: the body has thrown, and the peer sees that it is not whole.
 */
export function watched(
  response: Response,
  session: HttpSession,
  over: () => void,
  failed: (thrown: unknown) => void,
): Response {
  const reader = response.body!.getReader();
  const { extra } = session;
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    extra.cut = undefined;
    over();
  };
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      extra.cut = (reason) => {
        reader.cancel(reason).catch(() => {});
        // Events end anywhere; of anything else the peer has to see that it is not whole.
        if (extra.endless) controller.close();
        else controller.error(new DOMException(reason, "AbortError"));
        end();
      };
    },
    async pull(controller) {
      extra.asked = true;
      try {
        const { done, value } = await reader.read();
        if (ended) return;
        if (done) {
          controller.close();
          return end();
        }
        const bytes = bytesOf(value);
        extra.bytesOut += bytes.length;
        extra.asked = false;
        controller.enqueue(bytes);
      } catch (error) {
        if (ended) return;
        reader.cancel(error).catch(() => {});
        failed(error);
        // It is in the record: Deno would write it to standard error as well.
        controller.error("");
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
