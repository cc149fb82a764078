import type { Operator } from "../../runtime/mod.ts";

/** Bytes that may wait for a reader; what comes beyond is left out, and counted. */
const BACKLOG = 1024 * 1024;
/** Milliseconds of silence after which a comment shows that the connection lives. */
const SILENCE = 15_000;

const HEADERS = { "content-type": "text/event-stream" };

/** The records as server-sent events: the last ones, then those to come; of nobody, none. */
export function streamRecords(operator: Operator | undefined): Response {
  if (operator === undefined) return new Response(null, { headers: HEADERS });
  const encoder = new TextEncoder();
  let unsubscribe: (() => void) | undefined;
  let timer: ReturnType<typeof setInterval> | undefined;
  let skipped = 0;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const send = (text: string): void => controller.enqueue(encoder.encode(text));
      unsubscribe = operator.records((record) => {
        if ((controller.desiredSize ?? 0) <= 0) {
          skipped++;
          return;
        }
        if (skipped > 0) send(`event: skipped\ndata: ${skipped}\n\n`);
        skipped = 0;
        send(`data: ${JSON.stringify(record)}\n\n`);
      });
      timer = setInterval(() => {
        if ((controller.desiredSize ?? 0) > 0) send(":\n\n");
      }, SILENCE);
    },
    cancel() {
      unsubscribe?.();
      clearInterval(timer);
    },
  }, new ByteLengthQueuingStrategy({ highWaterMark: BACKLOG }));
  return new Response(body, { headers: HEADERS });
}
