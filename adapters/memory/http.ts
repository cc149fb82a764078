/** HTTP in memory: requests that are objects already. */
import type { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import type { Exchange, HttpListener, HttpSide, HttpTable } from "../../runtime/core/exchange.ts";

/** Bytes of a body that are on the way to who reads it, as in the buffers of two sockets. */
const WINDOW = 64 * 1024;

/** A listener that requests of this process are handed to. */
/** The own of an exchange is the address of its peer. */
export class MemoryHttpListener implements HttpListener, HttpSide {
  readonly address: Address;
  readonly #table: HttpTable;
  readonly #closed: () => void;
  /** What ends each exchange that is under way; its peer is gone then. */
  readonly #open: Set<() => void> = new Set();
  readonly #over = Promise.withResolvers<void>();
  #closing = false;

  constructor(address: Address, table: HttpTable, closed: () => void) {
    this.address = address;
    this.#table = table;
    this.#closed = closed;
  }

  /** Answers a request. @throws what its signal is aborted with, as fetch does. */
  async fetch(request: Request, remote: Address): Promise<Response> {
    if (this.#closing) throw new PorticoError("ECONNREFUSED");
    request.signal.throwIfAborted();
    const left = Promise.withResolvers<never>();
    left.promise.catch(() => {});
    const exchange = this.#table.open(this, request, remote);
    const leave = (): void => {
      exchange.left = true;
      left.reject(request.signal.reason ?? new PorticoError("ECONNRESET"));
      over(true);
    };
    const over = (whoLeft: boolean): void => {
      if (!this.#open.delete(leave)) return;
      request.signal.removeEventListener("abort", leave);
      this.#table.close(exchange, whoLeft);
      if (this.#closing && this.#open.size === 0) this.#over.resolve();
    };
    this.#open.add(leave);
    request.signal.addEventListener("abort", leave);
    const answer = Promise.resolve(this.#table.answer(exchange));
    const response = await Promise.race([answer, left.promise]);
    const { body, status, statusText, headers } = response;
    const head = { status, statusText, headers };
    if (body === null || request.method === "HEAD") {
      void body?.cancel().catch(() => {});
      over(false);
      return new Response(null, head);
    }
    return new Response(buffered(body, () => over(false)), head);
  }

  get local(): Address {
    return this.address;
  }

  remoteOf({ own }: Exchange): Address {
    return own as Address;
  }

  /** It is told of at once as it is. */
  watch(): void {}

  isGone({ left }: Exchange): boolean {
    return left;
  }

  isWhole(): boolean {
    return false;
  }

  streams({ request }: Exchange, { body }: Response): boolean {
    return body !== null && request.method !== "HEAD";
  }

  duplicate(): Promise<number> {
    return Promise.reject(new PorticoError("NOT_SUPPORTED", "there is no descriptor in memory"));
  }

  close(): Promise<void> {
    if (this.#closing) return Promise.resolve();
    this.#closing = true;
    this.#closed();
    if (this.#open.size === 0) this.#over.resolve();
    return Promise.resolve();
  }

  get over(): Promise<void> {
    return this.#over.promise;
  }

  abort(): void {
    for (const leave of [...this.#open]) leave();
    this.#over.resolve();
  }
}

/** A body that leaves its server whether somebody reads it or not, up to the {@link WINDOW}. */
function buffered(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  over: () => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        controller.close();
      } catch (error) {
        controller.error(error);
      }
      over();
    },
    async cancel(reason) {
      await reader.cancel(reason);
      over();
    },
  }, { highWaterMark: WINDOW, size: (chunk) => chunk?.length ?? 0 });
}
