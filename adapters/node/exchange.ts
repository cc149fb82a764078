/** One request on Node, and how its response is given to `@hono/node-server`. */
import { getRequestListener } from "@hono/node-server";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Address } from "../../runtime/core/endpoint.ts";
import { type BodyFailure, bytesOf } from "../../runtime/core/exchange.ts";
import { type Exchanges, type HttpWays, OpenExchange, saysThatItStreams } from "../exchanges.ts";
import { isWhole, takeWhole } from "./whole-response.ts";

/** A response on its way, with what it answers. */
export type Answering = ServerResponse & {
  exchange?: NodeExchange;
  failed?: BodyFailure;
  /** Its own socket it gives back before it closes. */
  asker?: Socket;
};

export class NodeExchange extends OpenExchange {
  readonly #peer: Address;

  constructor(exchanges: Exchanges, peer: Address) {
    super(exchanges);
    this.#peer = peer;
  }

  protected findPeer(): Address {
    return this.#peer;
  }

  isGone(): boolean {
    return this.left;
  }

  streams(response: Response): boolean {
    return this.streaming = WAYS.streams(response);
  }

  /** It is told of at once as it is. */
  watch(): void {}
}

/**
 * The bridge's own Response, which it sends as it is, without reading it. It does not export it: it puts
 * it in the place of the global one, unless told otherwise. Undefined where somebody has done so before.
 */
const Light = ((): typeof Response | undefined => {
  const names = ["Request", "Response"] as const;
  const before = names.map((name) => Object.getOwnPropertyDescriptor(globalThis, name)!);
  const { Response } = globalThis;
  getRequestListener(() => new Response());
  const light = globalThis.Response;
  names.forEach((name, at) => Object.defineProperty(globalThis, name, before[at]!));
  return light === Response ? undefined : light;
})();

/** What the bridge says where a program does not. */
const TYPE = "text/plain; charset=UTF-8";

/** A response as the bridge sends it best. */
export function respond(response: Response, outgoing: Answering): Response {
  if (Light === undefined || !isWhole(response)) return observed(response, outgoing);
  const { status, fields, body } = takeWhole(response);
  if (body !== null) {
    fields["content-type"] ??= TYPE;
    fields["content-length"] ??= String(Buffer.byteLength(body));
  }
  return new Light(body as BodyInit | null, { status, headers: fields as Record<string, string> });
}

export const WAYS: HttpWays = {
  // Whether any other body fails is seen as it is read.
  streams: (response) =>
    !isWhole(response) && saysThatItStreams(response) && response.body !== null,
  lost: () => false,
};

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
