import { setTimeout } from "node:timers";
import type { Adapter, Connection, NamedEndpoint, StreamTable } from "../../core/contract.ts";
import type { TlsClient } from "../../core/endpoint.ts";
import { PorticoError } from "../../core/errors.ts";
import type { FrameSource, Link, LinkEvents } from "./link.ts";

/** Bytes that may be with the connection and not with the kernel, but for the last frame. */
const WINDOW: number = 64 * 1024;
/** How long a connect and its handshake may take, in ms. */
const CONNECT = 10_000;
/** How long a kernel that takes nothing is believed to have a peer, in ms. */
const STALL = 30_000;
/** Before a connection that has not said so is asked whether all is with the kernel, in ms, at first and at most. */
const LOOK = 1;
const LOOK_MAX = 50;

/** Writes a frame so that the receiver finds its end. */
export type Framing = (frame: Uint8Array) => Uint8Array;

/** What a stream needs beside its endpoint. */
export interface StreamLinkInput {
  readonly endpoint: NamedEndpoint;
  readonly framing: Framing;
  readonly tls?: TlsClient;
}

/** A link over a stream. Between two connections nothing is written twice that the kernel has taken whole. */
export async function openStream(
  adapter: Pick<Adapter, "connect" | "defer">,
  { endpoint, framing, tls }: StreamLinkInput,
  events: LinkEvents,
): Promise<Link> {
  const link = new StreamLink(adapter, framing, events);
  await adapter.connect(endpoint, link.table, undefined, CONNECT, tls);
  return link;
}

class StreamLink implements Link {
  readonly table: StreamTable = {
    open: (connection) => {
      this.#connection = connection;
    },
    data() {},
    drain: () => this.#look(),
    // It reads no more: what it has not got is kept for the next connection.
    end: () => {
      if (this.#over) return;
      this.#settle();
      this.#lose(new PorticoError("ECONNRESET", "the log server has ended the connection"));
    },
    // From here on nothing counts as pending, sent or not: what was settled before is what was sent.
    close: (_, error) => {
      this.#closed = true;
      this.#end.resolve();
      this.#lose(error ?? new PorticoError("ECONNRESET"));
    },
    failure() {},
  };
  readonly #adapter: Pick<Adapter, "defer">;
  readonly #framing: Framing;
  readonly #events: LinkEvents;
  #connection!: Connection;
  /** What was written and may not be with the kernel, each with the count of bytes up to its end. */
  #flight: { readonly frame: Uint8Array; readonly end: number }[] = [];
  #written = 0;
  /** Of these, what the kernel has taken for certain, and when that was last more. */
  #taken = 0;
  #moved = performance.now();
  #timer: NodeJS.Timeout | undefined = undefined;
  #pause = LOOK;
  #over = false;
  #closed = false;
  readonly #end: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(adapter: Pick<Adapter, "defer">, framing: Framing, events: LinkEvents) {
    this.#adapter = adapter;
    this.#framing = framing;
    this.#events = events;
  }

  get idle(): boolean {
    return this.#flight.length === 0;
  }

  get unsent(): readonly Uint8Array[] {
    return this.#flight.map(({ frame }) => frame);
  }

  pump(source: FrameSource): boolean {
    if (this.#over || this.#written - this.#taken >= WINDOW) return false;
    const chunks: Uint8Array[] = [];
    let size = 0;
    let frame: Uint8Array | undefined;
    while (size < WINDOW && (frame = source.peek()) !== undefined) {
      source.shift();
      const chunk = this.#framing(frame);
      chunks.push(chunk);
      size += chunk.length;
      this.#flight.push({ frame, end: this.#written + size });
    }
    if (size === 0) return false;
    if (this.#written === this.#taken) this.#moved = performance.now();
    this.#written += size;
    this.#connection.write(chunks.length === 1 ? chunks[0]! : concat(chunks, size));
    this.#settle();
    if (this.#flight.length > 0) this.#lookSoon();
    return this.#written - this.#taken < WINDOW;
  }

  /** Forgets what the kernel has. */
  #settle(): void {
    const taken = this.#written - this.#connection.pending;
    if (taken <= this.#taken) return;
    this.#taken = taken;
    this.#moved = performance.now();
    let done = 0;
    while (done < this.#flight.length && this.#flight[done]!.end <= taken) done++;
    this.#flight.splice(0, done);
  }

  /** Not every connection tells that all is with the kernel: only one that was above its high-water mark. */
  #lookSoon(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#look();
    }, this.#pause).unref();
    this.#pause = Math.min(LOOK_MAX, this.#pause * 2);
  }

  #look(): void {
    if (this.#over) return;
    const before = this.#taken;
    this.#settle();
    if (this.#taken > before) this.#pause = LOOK;
    else if (performance.now() - this.#moved > STALL) {
      return this.#lose(new PorticoError("ETIMEDOUT", "the log server reads nothing any more"));
    }
    if (this.#flight.length > 0) this.#lookSoon();
    if (this.#taken > before) this.#adapter.defer(this.#tell);
  }

  readonly #tell = (): void => {
    if (!this.#over) this.#events.ready();
  };

  #lose(error: PorticoError): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    if (!this.#closed) this.#connection.abort(true);
    this.#events.lost(error);
  }

  async close(limit: number): Promise<number> {
    if (this.#over) return 0;
    this.#over = true;
    clearTimeout(this.#timer);
    let left = 0;
    this.#connection.end();
    const timer = setTimeout(() => {
      this.#settle();
      left = this.#flight.length;
      this.#connection.abort(true);
    }, limit);
    await this.#end.promise;
    clearTimeout(timer);
    return left;
  }
}

function concat(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
