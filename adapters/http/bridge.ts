/**
 * Requests and responses of a runtime's own, over `node:http`: what a handler is given, and what becomes of its answer,
 * are as on the runtime's own server.
 */
import type { IncomingMessage } from "node:http";
import type { Address } from "../../runtime/core/endpoint.ts";
import type { Exchange, HttpTable, HttpTraffic } from "../../runtime/core/exchange.ts";
import { type Answering, type Connection, SocketExchanges } from "./answering.ts";
import { requestOf } from "./request.ts";
import { respond } from "./respond.ts";
import type { Ask, Bridge } from "./server.ts";

/** What a runtime tells of a response without a price. */
export interface Bodies {
  /** Whether it has a body that streams. */
  readonly streams: (response: Response) => boolean;
  /** All of its body, where that is in memory: it is sent then; undefined says nothing. */
  readonly whole: (response: Response) => string | Uint8Array | Promise<Uint8Array> | undefined;
}

/** Of a runtime whose responses are its own. */
export function bridgeOf(bodies: Bodies): Bridge {
  return {
    listener: (ask: Ask) => (incoming, outgoing) => {
      const request = requestOf(incoming, outgoing);
      if (request === undefined) {
        outgoing.statusCode = 400;
        // What may come after it is no request either.
        outgoing.shouldKeepAlive = false;
        return void outgoing.end();
      }
      const response = ask(request, outgoing);
      if (!(response instanceof Promise)) void respond(response, outgoing, bodies);
      else void response.then((response) => respond(response, outgoing, bodies));
    },
    exchanges: (table, local) => new PlainExchanges(table, local, bodies.streams),
    begin: () => () => {},
  };
}

class PlainExchanges extends SocketExchanges {
  readonly #bodyStreams: (response: Response) => boolean;

  constructor(table: HttpTable, local: Address, bodyStreams: (response: Response) => boolean) {
    super(table, local);
    this.#bodyStreams = bodyStreams;
  }

  /** Its body may have thrown before anything else was heard. */
  isGone({ left, own }: Exchange): boolean {
    const { req, asker } = own as Answering;
    return left || asker.destroyed || req.aborted || req.destroyed && !req.complete;
  }

  isWhole(): boolean {
    return false;
  }

  streams(exchange: Exchange, response: Response): boolean {
    // The answer to HEAD has no body, whatever it was made of.
    if (exchange.request.method === "HEAD" || !this.#bodyStreams(response)) return false;
    return exchange.streaming = true;
  }

  protected trafficOf(asker: Connection, incoming: IncomingMessage): HttpTraffic {
    const { bytesRead, bytesWritten, writableLength } = asker;
    return {
      bytesIn: bytesRead,
      receives: !incoming.complete && !asker.isPaused(),
      bytesOut: bytesWritten - writableLength,
      unsent: writableLength,
    };
  }
}
