/** The limits of bytes of requests: of their bodies, and of those that they are answered with. */
import type { HttpSession } from "../http/session.ts";
import { isEvents } from "../http/body.ts";
import type { EachWay, Limits, RateLimit } from "../plan.ts";
import { Ahead } from "./ahead.ts";
import { Pace } from "./pace.ts";
import type { Throttle } from "./throttle.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Source = Pick<ReadableStreamDefaultReader<Bytes>, "read" | "cancel">;

const NOTHING: Bytes = new Uint8Array(0);

export class HttpMeter {
  readonly #rates: Partial<EachWay<RateLimit>>;
  readonly #most: Partial<EachWay<number>>;
  readonly #throttle: Throttle;

  constructor({ bytesPerSecond = {}, bytes = {} }: Limits, throttle: Throttle) {
    this.#rates = bytesPerSecond;
    this.#most = bytes;
    this.#throttle = throttle;
  }

  /** Whether a request says itself that its body is too large. */
  refuses({ headers }: Request): boolean {
    return this.#most.in !== undefined && Number(headers.get("content-length")) > this.#most.in;
  }

  /** The request as a plugin is given it. */
  request(session: HttpSession): Request {
    const { request } = session;
    const known = request.headers.has("content-length");
    if (this.#rates.in === undefined && (known || this.#most.in === undefined)) return request;
    if (request.body === null) return request;
    const exceeded = (): void => void (session.extra.excess = true);
    const source = request.body.getReader() as Source;
    const body = limited(source, this.#most.in ?? Infinity, this.#pace("in"), exceeded);
    return new Request(request, { body, duplex: "half" } as RequestInit);
  }

  /** The answer as it goes out; undefined for as it is. */
  answer(session: HttpSession, response: Response): Promise<Response> | undefined {
    if (this.#rates.out === undefined && this.#most.out === undefined) return undefined;
    if (session.request.method === "HEAD" || response.body === null) return undefined;
    return this.#answer(session, response, response.body);
  }

  async #answer(session: HttpSession, response: Response, body: ReadableStream): Promise<Response> {
    const { status, statusText } = response;
    const headers = new Headers(response.headers);
    const source = new Ahead(body);
    // Of events the head goes first.
    if (!isEvents(response)) await source.look();
    const most = this.#most.out ?? Infinity;
    const pace = this.#pace("out");
    if (source.whole) {
      const room = Math.min(most, pace?.room ?? Infinity);
      const head = { status, statusText, headers };
      if (source.length <= room) return new Response(await source.take().arrayBuffer(), head);
      headers.set("content-length", `${source.length}`);
    }
    const paced = limited(source as Source, most, pace, () => {
      session.reason ??= "bytes";
      session.signalEnd("bytes");
    });
    return new Response(paced, { status, statusText, headers });
  }

  #pace(way: "in" | "out"): Pace | undefined {
    const rate = this.#rates[way];
    return rate && new Pace(rate, this.#throttle);
  }
}

/**
 * The same body, no quicker and no longer than it may be: beyond that it fails.
 *
 * @param exceeded before it fails.
 */
function limited(
  source: Source,
  most: number,
  pace: Pace | undefined,
  exceeded: () => void,
): ReadableStream<Bytes> {
  let left = most;
  let rest: Bytes = NOTHING;
  let excess = false;
  const fail = (controller: ReadableStreamDefaultController): void => {
    exceeded();
    controller.error(new Error(`the body is larger than ${most} bytes, which limits.bytes allows`));
    source.cancel().catch(() => {});
  };
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    // What is in the queue would be lost with an error: each time one part is put there, or none.
    async pull(controller) {
      if (rest.length === 0) {
        if (excess) return fail(controller);
        const { done, value } = await source.read();
        if (done) return controller.close();
        excess = value.length > left;
        rest = excess ? value.subarray(0, left) : value;
        left -= rest.length;
        if (rest.length === 0 && excess) return fail(controller);
      }
      const count = await pace?.take(rest.length) ?? rest.length;
      if (count < rest.length) {
        controller.enqueue(rest.slice(0, count));
        rest = rest.subarray(count);
      } else {
        controller.enqueue(rest);
        rest = NOTHING;
      }
    },
    cancel(reason) {
      pace?.stop();
      return source.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
