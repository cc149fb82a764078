/** HTTP/2 on `node:http2`, of connections whose handshake has agreed on it. Requests and responses are as of HTTP/1.1. */
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from "node:http2";
import type { IncomingMessage } from "node:http";
import type { Answering, Connection } from "./answering.ts";

/** Requests that one connection may have under way. */
const STREAMS = 128;

export class SecondServer {
  readonly #server: Http2SecureServer;
  /** Each with its connection: of that a session shows no more than a part. */
  readonly #sessions: Map<ServerHttp2Session, Connection> = new Map();
  #taken: Connection | undefined = undefined;

  /** @param answer is told of each request, of the connection `answering.asker`. */
  constructor(answer: (incoming: IncomingMessage, answering: Answering) => void) {
    const settings = { maxConcurrentStreams: STREAMS };
    this.#server = createSecureServer({ settings }, (incoming, outgoing) => {
      const asker = this.#sessions.get(incoming.stream.session as ServerHttp2Session);
      if (asker === undefined) return outgoing.stream.close();
      answer(incoming as unknown as IncomingMessage, answeringOf(outgoing, asker));
    });
    this.#server.on("session", (session) => {
      this.#sessions.set(session, this.#taken!);
      session.once("close", () => this.#sessions.delete(session));
      // Its requests are told of it.
      session.on("error", () => {});
    });
  }

  take(socket: Connection): void {
    const taken = socket as Connection & { secureConnecting: boolean };
    // So `node:tls` leaves a socket that it has not made for a server of its own.
    taken.secureConnecting = false;
    // The end of the peer is that of all requests.
    taken.allowHalfOpen = false;
    this.#taken = socket;
    this.#server.emit("secureConnection", socket);
  }

  /** Tells peers to send no more requests; connections end with those that are under way. */
  close(): void {
    for (const session of this.#sessions.keys()) if (!session.closed) session.close();
  }
}

/** What {@link Answering} has beside what is of `node:http`. */
function answeringOf(outgoing: Http2ServerResponse, asker: Connection): Answering {
  const answering = outgoing as unknown as Answering & { asker: Connection };
  Object.assign(answering, {
    asker,
    exchange: undefined,
    failed: undefined,
    over: undefined,
    leaving: undefined,
  });
  outgoing.once("close", () => answering.over?.(answering));
  outgoing.on("error", () => {});
  return answering;
}
