/**
 * Requests of which it is known whether their body is being read. A runtime's own server tells nothing of
 * that, and to put a stream in front of each body costs more than a small request. So the request stays the
 * runtime's, with methods that keep what somebody waits for.
 */
import { inspect } from "node:util";

/** The promise of the last read. */
const READ = Symbol("read");
/** The stream that was given for the body. */
const BODY = Symbol("body");

type Bytes = Uint8Array<ArrayBuffer>;
type Following = Request & { [READ]?: Promise<unknown>; [BODY]?: ReadableStream<Bytes> | null };

/** A body that is read bit by bit: each bit is waited for. */
function followedBody(request: Following, body: ReadableStream<Bytes>): ReadableStream<Bytes> {
  let reader: ReadableStreamDefaultReader<Bytes> | undefined;
  return new ReadableStream<Bytes>({
    async pull(controller) {
      reader ??= body.getReader();
      const read = reader.read();
      request[READ] = read;
      const { done, value } = await read;
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader === undefined ? body.cancel(reason) : reader.cancel(reason),
  }, { highWaterMark: 0 });
}

class FollowedRequest extends Request {
  declare [READ]?: Promise<unknown>;
  declare [BODY]?: ReadableStream<Bytes> | null;

  override arrayBuffer(): Promise<ArrayBuffer> {
    return this[READ] = super.arrayBuffer();
  }

  override blob(): Promise<Blob> {
    return this[READ] = super.blob();
  }

  override bytes(): Promise<Bytes> {
    return this[READ] = super.bytes();
  }

  override formData() {
    return this[READ] = super.formData();
  }

  // deno-lint-ignore no-explicit-any -- as the library has it.
  override json(): Promise<any> {
    return this[READ] = super.json();
  }

  override text(): Promise<string> {
    return this[READ] = super.text();
  }

  override get body(): ReadableStream<Bytes> | null {
    const found = this[BODY];
    if (found !== undefined) return found;
    const body = super.body;
    return this[BODY] = body === null ? null : followedBody(this, body);
  }
}
// Whoever asks finds what every request has.
Object.defineProperty(FollowedRequest.prototype, "constructor", { value: Request });

/** From here on it is known of it. */
export function follow(request: Request): void {
  Object.setPrototypeOf(request, FollowedRequest.prototype);
}

const PENDING = /^Promise \{\s+<pending>/;
/** What it has come to may be large. */
const SHORT = { depth: 0, maxStringLength: 8, maxArrayLength: 1 };

/** Whether somebody waits for more of its body: nothing but its description says that of a promise at once. */
export function isAwaited(request: Request): boolean {
  const read = (request as Following)[READ];
  return read !== undefined && PENDING.test(inspect(read, SHORT));
}
