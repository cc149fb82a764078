import { clearTimeout, setTimeout } from "node:timers";
import type { Adapter, Connection, StreamTable } from "../core/contract.ts";
import { PorticoError } from "../core/errors.ts";
import { Refusal } from "./refusal.ts";
import type { Answer, Request } from "./request.ts";

/** How long a server may take to accept, in ms. */
const ACCEPT = 5000;

/** How a server is asked. */
export interface Asking {
  /** Milliseconds that the answer may take; as long as it wants when silent. */
  readonly patience?: number;
  /** Waits for the server to close the connection too, as it does when it ends. */
  readonly toTheEnd?: boolean;
}

/**
 * Asks the server that listens on a control socket.
 *
 * @param path of the socket.
 * @returns the result of the verb, as JSON brings it over.
 * @throws Refusal when the server says no; other PorticoErrors when nobody listens (ENOENT,
 * ECONNREFUSED), or no answer comes (CONTROL_FAILED).
 */
export async function ask(
  adapter: Adapter,
  path: string,
  request: Request,
  { patience = Infinity, toTheEnd = false }: Asking = {},
): Promise<unknown> {
  const exchange = new Exchange(path, request, toTheEnd);
  await adapter.connect({ transport: "unix", path }, exchange.table, undefined, ACCEPT);
  const answer = await exchange.answer(patience);
  if (answer.ok) return answer.result;
  throw new Refusal(answer.code, answer.message);
}

/** One request over one connection. */
class Exchange {
  readonly table: StreamTable;
  readonly #path: string;
  readonly #toTheEnd: boolean;
  readonly #answered = Promise.withResolvers<Answer>();
  readonly #chunks: Uint8Array[] = [];
  #connection: Connection | undefined = undefined;
  #found: Answer | undefined = undefined;

  constructor(path: string, request: Request, toTheEnd: boolean) {
    this.#path = path;
    this.#toTheEnd = toTheEnd;
    // The connection may be lost before anybody waits for the answer.
    this.#answered.promise.catch(() => {});
    this.table = {
      open: (connection) => {
        this.#connection = connection;
        connection.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
      },
      data: (_, chunk) => this.#data(chunk),
      end: (connection) => {
        this.#over();
        connection.end();
      },
      drain() {},
      close: (_, error) => this.#over(error),
      failure() {},
    };
  }

  async answer(patience: number): Promise<Answer> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    if (patience !== Infinity) {
      timer = setTimeout(() => this.#fail(`it has not answered for ${patience} ms`), patience);
    }
    try {
      return await this.#answered.promise;
    } finally {
      clearTimeout(timer);
      this.#connection?.abort(true);
    }
  }

  #data(chunk: Uint8Array): void {
    if (this.#found !== undefined) return;
    const end = chunk.indexOf(10);
    // A copy: the chunk is only lent.
    this.#chunks.push(chunk.slice(0, end < 0 ? chunk.length : end));
    if (end < 0) return;
    try {
      this.#found = JSON.parse(decode(this.#chunks)) as Answer;
    } catch {
      return this.#fail("what it answers is no JSON");
    }
    if (!this.#toTheEnd || !this.#found.ok) this.#answered.resolve(this.#found);
  }

  #over(error?: PorticoError): void {
    if (this.#found !== undefined) this.#answered.resolve(this.#found);
    else {this.#fail(
        `it ended before it answered${error === undefined ? "" : `: ${error.message}`}`,
      );}
  }

  #fail(why: string): void {
    const text = `the server at unix:${this.#path}: ${why}`;
    this.#answered.reject(new PorticoError("CONTROL_FAILED", text));
  }
}

function decode(chunks: readonly Uint8Array[]): string {
  const decoder = new TextDecoder();
  return chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("") + decoder.decode();
}
