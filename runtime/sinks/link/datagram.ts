import { setTimeout } from "node:timers";
import type { Adapter, DialedSocket, NamedEndpoint } from "../../core/contract.ts";
import { UNIX_PATH_MAX } from "../../core/endpoint.ts";
import { PorticoError } from "../../core/errors.ts";
import type { FrameSource, Link, LinkEvents } from "./link.ts";

/** Datagrams that one turn of the event loop sends: that is well below a millisecond. */
const TURN = 64;
/** Before a kernel without room is asked again, in ms, at first and at most. */
const RETRY = 1;
const RETRY_MAX = 32;
/**
 * How long ICMP may take to tell that nobody is there, in ms. For as long the first datagram of a new
 * UDP link stays the only one, and is kept: it goes out again then.
 */
const TRIAL = 100;

/** @throws PorticoError of side `config` for a path that no Unix socket can have. */
export function checkLength(path: string): void {
  const length = new TextEncoder().encode(path).length;
  if (length <= UNIX_PATH_MAX) return;
  const text = `the path ${path} has ${length} bytes, and the kernel takes ${UNIX_PATH_MAX}`;
  throw new PorticoError("ENAMETOOLONG", text, { side: "config" });
}

/** A link of datagrams, each a frame, over UDP or to a Unix socket. */
export async function openDatagrams(
  adapter: Pick<Adapter, "dial">,
  endpoint: NamedEndpoint,
  events: LinkEvents,
): Promise<Link> {
  const link = new DatagramLink(endpoint.transport === "udp", events);
  link.socket = await adapter.dial(endpoint, {
    datagram() {},
    failure: (_, error) => link.failed(error),
  });
  return link;
}

class DatagramLink implements Link {
  socket!: DialedSocket;
  readonly #events: LinkEvents;
  /** The first datagram is still to be tried, or on trial. */
  #untried: boolean;
  #trial: Uint8Array | undefined = undefined;
  #pause = RETRY;
  #timer: NodeJS.Timeout | undefined = undefined;
  #over = false;

  constructor(untried: boolean, events: LinkEvents) {
    this.#untried = untried;
    this.#events = events;
  }

  get idle(): boolean {
    return this.#trial === undefined && this.#timer === undefined;
  }

  pump(source: FrameSource): boolean {
    for (let count = 0; count < TURN; count++) {
      if (this.#over || this.#timer !== undefined) return false;
      const frame = source.peek();
      if (frame === undefined) return false;
      if (!this.socket.offer(frame)) {
        this.#wait(this.#pause);
        this.#pause = Math.min(RETRY_MAX, this.#pause * 2);
        return false;
      }
      source.shift();
      this.#pause = RETRY;
      if (this.#untried) {
        this.#untried = false;
        this.#trial = frame;
        this.#wait(TRIAL);
      }
    }
    return true;
  }

  #wait(time: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = this.#trial = undefined;
      if (!this.#over) this.#events.ready();
    }, time).unref();
  }

  /** From the socket: ICMP has answered. */
  failed(error: PorticoError): void {
    if (this.#over || error.code === "EMSGSIZE") return;
    const unsent = this.#trial === undefined ? [] : [this.#trial];
    void this.close();
    this.#events.lost(error, unsent);
  }

  async close(): Promise<number> {
    if (this.#over) return 0;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#timer = this.#trial = undefined;
    try {
      await this.socket.close();
    } catch {
      // It was no use any more.
    }
    return 0;
  }
}
