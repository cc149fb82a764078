/** The requests of one listener on Node, and how a response is given to `@hono/node-server`. */
import { getRequestListener } from "@hono/node-server";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Address } from "../../runtime/core/endpoint.ts";
import {
  bytesOf,
  type Exchange,
  type HttpTable,
  type HttpTraffic,
} from "../../runtime/core/exchange.ts";
import { DEFAULT_HOST, isHost, saysThatItStreams } from "../exchanges.ts";
import { type Answering, type Connection, SocketExchanges } from "../http/answering.ts";
import { bridgeOf } from "../http/bridge.ts";
import type { Ask, Bridge } from "../http/server.ts";
import { isRead, queuedOf } from "./handle.ts";
import { learn, takeLightRequests } from "./light-request.ts";
import { isWhole, takeWhole, useWholeResponses, type Whole } from "./whole-response.ts";

/** On `@hono/node-server`, with what Node alone has. */
export const NODE_BRIDGE: Bridge = {
  listener(ask: Ask) {
    const answer = listenerOf((request, { incoming, outgoing }) => {
      if (!isHost(incoming.headers.host)) return new Response(null, { status: 400 });
      const answering = outgoing as Answering;
      learn(request);
      const response = ask(request, answering);
      return response instanceof Promise
        ? response.then((response) => respond(response, answering))
        : respond(response, answering);
    });
    return (incoming, outgoing) => void answer(incoming, outgoing as ServerResponse);
  },
  exchanges(table: HttpTable, local: Address) {
    return new NodeExchanges(table, local);
  },
  // Node alone has its Response; the requests of HTTP/2 are its own.
  second: bridgeOf({
    streams: (response) =>
      !isWhole(response) && saysThatItStreams(response) && response.body !== null,
    whole: (response) => isWhole(response) ? takeWhole(response)[1] ?? "" : undefined,
  }),
  begin() {
    const restore = [useWholeResponses(), takeLightRequests()];
    return () => restore.forEach((each) => each());
  },
};

class NodeExchanges extends SocketExchanges {
  isGone({ left }: Exchange): boolean {
    return left;
  }

  isWhole(response: Response): boolean {
    return isWhole(response);
  }

  /** Whether any other body fails is seen as it is read. */
  streams(exchange: Exchange, response: Response): boolean {
    return exchange.streaming = !isWhole(response) && saysThatItStreams(response) &&
      response.body !== null;
  }

  protected trafficOf(asker: Connection, incoming: IncomingMessage): HttpTraffic {
    const { dispatched, size } = queuedOf(asker) ?? { dispatched: asker.bytesWritten, size: 0 };
    const bytesOut = asker.bytesWritten;
    return {
      bytesIn: asker.bytesRead,
      // What nobody reads, or has read so far, is not the peer's fault.
      receives: !incoming.complete && isRead(asker) && incoming.readableFlowing !== null &&
        incoming.readableLength === 0,
      bytesOut,
      unsent: bytesOut - dispatched + size,
    };
  }
}

/**
 * Under which the bridge finds what a response of its own is made of (status, body and headers), which it sends as
 * it is, without reading it. It does not export that Response: it puts it in the place of the global one, unless
 * told otherwise. Undefined before there was a listener, and where it does not do so.
 */
let madeOf: symbol | undefined = undefined;

type Callback = Parameters<typeof getRequestListener>[0];

/** Each listener that is made has V8 forget what it knew of those before: so the first one shows that Response, too. */
function listenerOf(answer: Callback): ReturnType<typeof getRequestListener> {
  const options = { hostname: DEFAULT_HOST };
  if (looked) return getRequestListener(answer, { ...options, overrideGlobalObjects: false });
  looked = true;
  const names = ["Request", "Response"] as const;
  const before = names.map((name) => Object.getOwnPropertyDescriptor(globalThis, name)!);
  const { Response } = globalThis;
  const listener = getRequestListener(answer, options);
  const Light = globalThis.Response;
  names.forEach((name, at) => Object.defineProperty(globalThis, name, before[at]!));
  if (Light !== Response) {
    const symbols = Object.getOwnPropertySymbols(new Light(""));
    madeOf = symbols.find(({ description }) => description === "cache");
  }
  return listener;
}

let looked = false;

/** What the bridge asks of a response that it sends as it is; but for the last one nothing is made. */
class Sent {
  [key: symbol]: Whole;
}

/** A response as the bridge sends it best. */
function respond(response: Response, outgoing: Answering): Response {
  if (madeOf === undefined || !isWhole(response)) return observed(response, outgoing);
  const sent = new Sent();
  sent[madeOf] = takeWhole(response);
  return sent as unknown as Response;
}

/**
 * A response for the bridge to send. Of a body that throws the bridge would tell standard error, and
 * the peer: the head and the text of the error, as if it were the end of the answer.
 */
function observed(response: Response, outgoing: Answering): Response {
  const { status, headers, body } = response;
  if (body === null) return response;
  return { status, headers, body: new ObservedBody(body, outgoing) } as unknown as Response;
}

/** What the bridge uses of a body, and of its reader. Whoever reads of a body that has failed waits for ever. */
class ObservedBody {
  readonly #body: ReadableStream<Uint8Array>;
  readonly #outgoing: Answering;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined = undefined;

  constructor(body: ReadableStream<Uint8Array>, outgoing: Answering) {
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
