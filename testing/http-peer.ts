import type { MemoryHttpListener } from "../adapters/memory/mod.ts";
import { BasePeer, type PeerInput } from "./base-peer.ts";
import type { RequestSettings } from "./contract.ts";

/** A client of HTTP. */
export class HttpPeer extends BasePeer {
  readonly kind = "http";
  readonly received: Uint8Array = new Uint8Array();
  readonly #server: MemoryHttpListener;

  constructor(input: PeerInput, server: MemoryHttpListener) {
    super(input);
    this.#server = server;
  }

  override fetch(path: string, init: RequestSettings = {}): Promise<Response> {
    const request = new Request(new URL(path, String(this.#server.address)), init);
    // Every server has it of a client.
    if (!request.headers.has("host")) request.headers.set("host", new URL(request.url).host);
    return this.#server.fetch(request, this.address);
  }
}
