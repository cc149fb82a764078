/** The client's side of a control socket. */
import { clearTimeout, setTimeout } from "node:timers";
import type { Adapter, Connection, StreamTable } from "../core/contract.ts";
import { PorticoError } from "../core/errors.ts";
import { ServerRefusal } from "./refusal.ts";
import type { ControlRequest, ControlResponse } from "./request.ts";

/** How long a server may take to accept, in ms. */
const ACCEPT = 5000;

/** How a server is asked. */
export interface AskOptions {
  /** Milliseconds that the answer may take; as long as it wants when silent. */
  readonly patience?: number;
  /** Waits for the server to close the connection too, as it does when it ends. */
  readonly toTheEnd?: boolean;
  /** Is given each line that comes before the answer; while it does not resolve, no more is read. */
  readonly take?: (value: unknown) => Promise<void>;
}

/**
 * Asks the server that listens on a control socket.
 *
 * @param path of the socket.
 * @returns the result of the verb, as JSON brings it over.
 * @throws ServerRefusal when the server says no; other PorticoErrors when nobody listens (ENOENT,
 * ECONNREFUSED), or no answer comes (CONTROL_FAILED).
 */
export async function ask(
  adapter: Adapter,
  path: string,
  request: ControlRequest,
  options: AskOptions = {},
): Promise<unknown> {
  const { patience = Infinity } = options;
  const pending = new PendingRequest(path, request, options);
  await adapter.connect({ transport: "unix", path }, pending.table, undefined, ACCEPT);
  const response = await pending.response(patience);
  if (response.ok) return response.result;
  throw new ServerRefusal(response.code, response.message);
}

/** One request over one connection, until it is answered. */
class PendingRequest {
  readonly table: StreamTable;
  readonly #path: string;
  readonly #options: AskOptions;
  readonly #responded = Promise.withResolvers<ControlResponse>();
  readonly #chunks: Uint8Array[] = [];
  #connection: Connection | undefined = undefined;
  #response: ControlResponse | undefined = undefined;
  /** Lines that come before it, and whether those before them are taken. */
  readonly #lines: unknown[] = [];
  #taken: Promise<void> = Promise.resolve();

  constructor(path: string, request: ControlRequest, options: AskOptions) {
    this.#path = path;
    this.#options = options;
    // The connection may be lost before anybody waits for the answer.
    this.#responded.promise.catch(() => {});
    this.table = {
      open: (connection) => {
        this.#connection = connection;
        connection.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
      },
      data: (_, chunk) => this.#data(chunk),
      end: (connection) => {
        void this.#taken.then(() => this.#over());
        connection.end();
      },
      drain() {},
      close: (_, error) => void this.#taken.then(() => this.#over(error)),
      failure() {},
    };
  }

  async response(patience: number): Promise<ControlResponse> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    if (patience !== Infinity) {
      timer = setTimeout(() => this.#fail(`it has not answered for ${patience} ms`), patience);
    }
    try {
      return await this.#responded.promise;
    } finally {
      clearTimeout(timer);
      this.#connection?.abort(true);
    }
  }

  #data(chunk: Uint8Array): void {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      // Copies: the chunk is only lent.
      this.#chunks.push(chunk.slice(start, end));
      start = end + 1;
      this.#line(decode(this.#chunks.splice(0)));
    }
    if (start < chunk.length) this.#chunks.push(chunk.slice(start));
    if (this.#lines.length > 0) this.#takeLines();
  }

  #line(text: string): void {
    if (this.#response !== undefined) return;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return this.#fail("what it answers is no JSON");
    }
    if (this.#options.take !== undefined && !Object.hasOwn(Object(value), "ok")) {
      this.#lines.push(value);
      return;
    }
    const response = this.#response = value as ControlResponse;
    if (this.#options.toTheEnd === true && response.ok) return;
    if (this.#lines.length > 0) this.#takeLines();
    void this.#taken.then(() => this.#responded.resolve(response));
  }

  #takeLines(): void {
    const lines = this.#lines.splice(0);
    this.#connection?.pause();
    this.#taken = this.#taken.then(async () => {
      for (const line of lines) await this.#options.take!(line);
      this.#connection?.resume();
    }).catch((error) => this.#responded.reject(error));
  }

  #over(error?: PorticoError): void {
    if (this.#response !== undefined) return this.#responded.resolve(this.#response);
    const why = error === undefined ? "" : `: ${error.message}`;
    this.#fail(`it ended before it answered${why}`);
  }

  #fail(why: string): void {
    const text = `the server at unix:${this.#path}: ${why}`;
    this.#responded.reject(new PorticoError("CONTROL_FAILED", text));
  }
}

function decode(chunks: readonly Uint8Array[]): string {
  const decoder = new TextDecoder();
  return chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("") + decoder.decode();
}
