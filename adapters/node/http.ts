/**
 * HTTP on `node:http`, with fetch's Request and Response by `@hono/node-server`. It must not replace the
 * global ones (`overrideGlobalObjects`): other code of this process has instances of those already.
 */
import { getRequestListener } from "@hono/node-server";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, Server as NetServer, type Socket } from "node:net";
import type { BindableEndpoint, OptionName, SocketOptions } from "../../runtime/core/contract.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import {
  type BodyFailure,
  bytesOf,
  type Exchange,
  type HttpListener,
  type HttpTable,
} from "../../runtime/core/exchange.ts";
import { acceptFailure } from "../errno.ts";
import {
  DEFAULT_HOST,
  Exchanges,
  GRACE,
  type HttpWays,
  isHost,
  saysThatItStreams,
} from "../exchanges.ts";
import type { ListenTarget } from "../listen-target.ts";
import { openListener, ReopenedListener } from "../listener.ts";
import { descriptorLimit } from "../posix/descriptor-limit.ts";
import { descriptorOf } from "./handle.ts";
import { listenOn, listenOptions, setKeepAlive, STREAM } from "./options.ts";

/** As {@link Adapter.serve}. */
export function serve(
  endpoint: BindableEndpoint,
  table: HttpTable,
  options: SocketOptions,
): Promise<HttpListener> {
  return openListener(endpoint, options, (target) => new NodeHttp(target, table, options));
}

/** A response, with what it answers. */
type Answered = ServerResponse & { exchange?: Exchange; failed?: BodyFailure };

class NodeHttp extends ReopenedListener implements HttpListener {
  readonly ownOptions: readonly OptionName[] = STREAM;
  readonly #exchanges: Exchanges;
  readonly #server: Server;
  readonly #responses: Set<ServerResponse> = new Set();
  /** Connections, by what they are at. */
  readonly #sockets: Map<Socket, "fresh" | "busy" | "idle"> = new Map();
  #started = false;
  /** Closed, and who had connected has had its time: nobody is idle any more. */
  #ended = false;

  constructor(
    target: ListenTarget,
    table: HttpTable,
    options: SocketOptions,
  ) {
    super(target);
    this.#exchanges = new Exchanges(table, this.address, WAYS);
    const answer = getRequestListener((request, { incoming, outgoing }) => {
      if (!isHost(incoming.headers.host)) return new Response(null, { status: 400 });
      const { remoteAddress, remotePort } = incoming.socket;
      const exchange = this.#exchanges.begin(remoteAddress, remotePort);
      (outgoing as Answered).exchange = exchange;
      const response = table.request(exchange, request);
      return response instanceof Response
        ? observed(response, outgoing as Answered)
        : response.then((response) => observed(response, outgoing as Answered));
    }, { overrideGlobalObjects: false, hostname: DEFAULT_HOST });
    this.#server = createServer({ noDelay: options.noDelay ?? true }, (incoming, outgoing) => {
      this.#begin(incoming, outgoing);
      void answer(incoming, outgoing);
    });
    this.#server.on("connection", (socket) => {
      setKeepAlive(socket, options);
      this.#sockets.set(socket, "fresh");
      socket.once("close", () => this.#sockets.delete(socket));
      descriptorLimit.accepted(descriptorOf(socket));
    });
  }

  get over(): Promise<void> {
    return this.#exchanges.over;
  }

  #begin({ socket }: IncomingMessage, outgoing: ServerResponse): void {
    this.#sockets.set(socket, "busy");
    this.#responses.add(outgoing);
    if (this.closed) outgoing.shouldKeepAlive = false;
    outgoing.once("close", () => {
      this.#responses.delete(outgoing);
      // What is no request is answered, and never begins.
      const { exchange, failed } = outgoing as Answered;
      if (exchange !== undefined) this.#exchanges.end(exchange, !outgoing.writableFinished, failed);
      if (!this.#sockets.has(socket)) return;
      this.#sockets.set(socket, "idle");
      if (this.#ended) socket.destroySoon();
    });
  }

  async start(options: SocketOptions): Promise<void> {
    await listenOn(this.#server, listenOptions(this.target, options));
    this.#started = true;
    this.#server.on("error", (error) => this.failure(acceptFailure(error)));
    descriptorLimit.add(this);
    if (this.target.inherited === undefined && !this.target.unix) {
      this.address = this.target.address((this.#server.address() as AddressInfo).port);
    }
    this.#exchanges.local = this.address;
  }

  protected get ownDescriptor(): number {
    return descriptorOf(this.#server);
  }

  protected stopListening(): void {
    // Its own close would end the connections that are idle.
    NetServer.prototype.close.call(this.#server);
  }

  protected listenOn(fd: number): Promise<void> {
    return listenOn(this.#server, { fd });
  }

  failure(error: PorticoError): void {
    this.#exchanges.table.failure(error);
  }

  protected closeRuntime(keep: boolean): void {
    for (const response of this.#responses) response.shouldKeepAlive = false;
    const finish = (): void => this.#exchanges.finish();
    if (!this.#started) return finish();
    if (!keep) {
      this.#ended = true;
      this.#server.close(finish);
      return;
    }
    // Node's own close would end the connections that have had no request yet, or none just now.
    NetServer.prototype.close.call(this.#server, finish);
    const late = setTimeout(() => {
      this.#ended = true;
      for (const [socket, state] of this.#sockets) if (state !== "busy") socket.destroy();
    }, GRACE);
    void this.over.then(() => {
      clearTimeout(late);
      // Its timer is all that is left.
      this.#server.close(() => {});
    });
  }

  abort(): void {
    this.#server.closeAllConnections();
    this.#exchanges.finish();
  }
}

const WAYS: HttpWays = {
  // Whether any other body fails is seen as it is read.
  streams: (response) => saysThatItStreams(response) && response.body !== null,
  lost: () => false,
};

/**
 * A response for the bridge to send. Of a body that throws the bridge would tell standard error, and
 * the peer: the head and the text of the error, as if it were the end of the answer.
 */
function observed(response: Response, outgoing: Answered): Response {
  const { status, headers, body } = response;
  if (body === null) return response;
  return { status, headers, body: new ObservedBody(body, outgoing) } as unknown as Response;
}

/** What the bridge uses of a body, and of its reader. Whoever reads of a body that has failed waits for ever. */
class ObservedBody {
  readonly #body: ReadableStream<Uint8Array>;
  readonly #outgoing: Answered;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined = undefined;

  constructor(body: ReadableStream<Uint8Array>, outgoing: Answered) {
    this.#body = body;
    this.#outgoing = outgoing;
  }

  getReader(): this {
    try {
      this.#reader = this.#body.getReader();
    } catch (thrown) {
      this.#fail(thrown);
    }
    return this;
  }

  async read(): Promise<{ readonly done: boolean; readonly value: Uint8Array | undefined }> {
    try {
      const { done, value } = await this.#reader!.read();
      return { done, value: done ? undefined : bytesOf(value) };
    } catch (thrown) {
      this.#fail(thrown);
      this.#reader?.cancel(thrown).catch(() => {});
      return await new Promise(() => {});
    }
  }

  #fail(thrown: unknown): void {
    this.#outgoing.failed ??= { thrown };
    this.#outgoing.once("error", () => {}).destroy();
  }

  async cancel(reason?: unknown): Promise<void> {
    await this.#reader?.cancel(reason);
  }

  get closed(): Promise<void> {
    return this.#reader?.closed.then(() => {}, () => {}) ?? Promise.resolve();
  }
}
