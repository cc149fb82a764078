import { setImmediate, setTimeout } from "node:timers";
import type { Adapter, DialedSocket, NamedEndpoint } from "../../core/contract.ts";
import { UNIX_PATH_MAX } from "../../core/endpoint.ts";
import { codeOf, PorticoError } from "../../core/errors.ts";
import type { FrameSource, Link, LinkEvents } from "./link.ts";

/** Datagrams that one turn of the event loop sends: that is well below a millisecond. */
const TURN = 64;
/** A kernel without room is asked again in so many turns, then after pauses, in ms, at first and at most. */
const EAGER = 4;
const RETRY = 1;
const RETRY_MAX = 32;
/**
 * How long ICMP may take to tell that nobody is there, in ms. For as long the first datagram of a new
 * UDP link stays the only one.
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

/**
 * What a UDP socket hears by ICMP is about what it has sent last: on this machine before the next is
 * sent, and for the first one of a link wherever the server is. That one goes out again on the next link.
 */
class DatagramLink implements Link {
  socket!: DialedSocket;
  readonly #events: LinkEvents;
  readonly #udp: boolean;
  #untried: boolean;
  #last: Uint8Array | undefined = undefined;
  /** Nothing is taken until {@link #resume}. */
  #waiting = false;
  #tries = 0;
  #timer: NodeJS.Timeout | undefined = undefined;
  #closing = false;
  #over = false;

  constructor(udp: boolean, events: LinkEvents) {
    this.#udp = this.#untried = udp;
    this.#events = events;
  }

  get idle(): boolean {
    return !this.#waiting;
  }

  get unsent(): readonly Uint8Array[] {
    return this.#last === undefined ? [] : [this.#last];
  }

  pump(source: FrameSource): boolean {
    for (let count = 0; count < TURN; count++) {
      if (this.#closing || this.#waiting) return false;
      const frame = source.peek();
      if (frame === undefined) return false;
      if (!this.#offer(frame)) {
        this.#retry();
        return false;
      }
      source.shift();
      this.#tries = 0;
      if (this.#udp) this.#last = frame;
      if (this.#untried) {
        this.#untried = false;
        this.#wait(TRIAL);
      }
    }
    return true;
  }

  #offer(frame: Uint8Array): boolean {
    try {
      return this.socket.offer(frame);
    } catch (error) {
      // No other error of a send is about what went before it.
      const code = codeOf(error);
      if (code !== "ECONNREFUSED" && code !== "EMSGSIZE") this.#last = undefined;
      throw error;
    }
  }

  #retry(): void {
    const tries = this.#tries++;
    if (tries >= EAGER) return this.#wait(Math.min(RETRY_MAX, RETRY * 2 ** (tries - EAGER)));
    this.#waiting = true;
    setImmediate(this.#resume);
  }

  #wait(time: number): void {
    this.#waiting = true;
    // Where the socket cannot be asked, what it has heard meanwhile is told before that turn.
    this.#timer = setTimeout(setImmediate, time, this.#resume).unref();
  }

  readonly #resume = (): void => {
    this.#timer = undefined;
    this.#waiting = false;
    if (this.#closing) return;
    const error = this.socket.takeError?.();
    if (error === undefined) this.#events.ready();
    else this.failed(error);
  };

  /** From the socket: ICMP has answered. */
  failed(error: PorticoError): void {
    if (this.#over || error.code === "EMSGSIZE") return;
    this.#over = true;
    if (this.#closing) return;
    void this.close();
    this.#events.lost(error);
  }

  async close(): Promise<number> {
    if (this.#closing) return 0;
    this.#closing = true;
    clearTimeout(this.#timer);
    const told = this.#over;
    if (this.socket.takeError === undefined) await new Promise((resolve) => setImmediate(resolve));
    else if (this.socket.takeError() !== undefined) this.#over = true;
    const lost = this.#over && !told ? this.unsent.length : 0;
    this.#over = true;
    try {
      await this.socket.close();
    } catch {
      // It was no use any more.
    }
    return lost;
  }
}
