/** The client's side of a control socket. */
import { dirname } from "node:path";
import { clearTimeout, setTimeout } from "node:timers";
import type { Adapter, Connection, StreamTable } from "../core/contract.ts";
import { PorticoError } from "../core/errors.ts";
import { renderRows } from "../values/problem.ts";
import { checkFolder } from "./path.ts";
import { ServerRefusal } from "./refusal.ts";
import type { ControlRequest, ControlResponse } from "./request.ts";
import { embeddedFile } from "../modules/embedded.ts";

/** How long a server may take to accept, in ms. */
const ACCEPT = 5000;

/** How a server is asked. */
export interface AskOptions {
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
 * @throws ServerRefusal when the server says no; other PorticoErrors when nobody listens (ENOENT,
 * ECONNREFUSED), or no answer comes (CONTROL_FAILED).
 */
export async function ask(
  adapter: Adapter,
  path: string,
  request: ControlRequest,
  { patience = Infinity, toTheEnd = false }: AskOptions = {},
): Promise<unknown> {
  const pending = new PendingRequest(path, request, toTheEnd);
  await adapter.connect({ transport: "unix", path }, pending.table, undefined, ACCEPT);
  const response = await pending.response(patience);
  if (response.ok) return response.result;
  throw new ServerRefusal(response.code, response.message);
}

/** One request over one connection, until it is answered. */
class PendingRequest {
  readonly table: StreamTable;
  readonly #path: string;
  readonly #toTheEnd: boolean;
  readonly #responded = Promise.withResolvers<ControlResponse>();
  readonly #chunks: Uint8Array[] = [];
  #connection: Connection | undefined = undefined;
  #response: ControlResponse | undefined = undefined;

  constructor(path: string, request: ControlRequest, toTheEnd: boolean) {
    this.#path = path;
    this.#toTheEnd = toTheEnd;
    // The connection may be lost before anybody waits for the answer.
    this.#responded.promise.catch(() => {});
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
    if (this.#response !== undefined) return;
    const end = chunk.indexOf(10);
    // A copy: the chunk is only lent.
    this.#chunks.push(chunk.slice(0, end < 0 ? chunk.length : end));
    if (end < 0) return;
    try {
      this.#response = JSON.parse(decode(this.#chunks)) as ControlResponse;
    } catch {
      return this.#fail("what it answers is no JSON");
    }
    if (!this.#toTheEnd || !this.#response.ok) this.#responded.resolve(this.#response);
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

/** Asks a server whose control socket is on one of several paths. */
export class ControlClient {
  readonly #adapter: Adapter;
  readonly #paths: readonly string[];
  readonly #manifest: string | undefined;

  /**
   * @param paths the likeliest first.
   * @param manifest that they are derived from, for messages; undefined where the path was given.
   */
  constructor(adapter: Adapter, paths: readonly string[], manifest: string | undefined) {
    this.#adapter = adapter;
    this.#paths = paths;
    this.#manifest = manifest;
  }

  /** @throws PorticoError NOT_RUNNING when nobody listens on any; otherwise as {@link ask}. */
  async ask(request: ControlRequest, options?: AskOptions): Promise<unknown> {
    for (const path of this.#paths) {
      try {
        // In a folder that others can write to, anybody could play the server.
        if (this.#paths.length > 1) checkFolder(dirname(path));
        return await ask(this.#adapter, path, request, options);
      } catch (error) {
        if (!(error instanceof PorticoError) || !isNobody(error)) throw error;
      }
    }
    throw this.#notRunning();
  }

  #notRunning(): PorticoError {
    const [path] = this.#paths;
    const text = renderRows({
      received: `nobody listens on unix:${path}`,
      expected: `a server, as started by: ${callFor(this.#manifest)}`,
    });
    return new PorticoError("NOT_RUNNING", text);
  }
}

/** The call that starts the server of a manifest; an executable is its own. */
function callFor(manifest: string | undefined): string {
  if (manifest !== undefined && manifest === embeddedFile()) return manifest;
  return manifest === undefined || manifest === "." ? "portico run" : `portico run ${manifest}`;
}

function isNobody({ code }: PorticoError): boolean {
  return code === "ENOENT" || code === "ECONNREFUSED";
}
