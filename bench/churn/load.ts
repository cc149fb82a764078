/** What a load is, and where it goes. */
import type { NetConnectOpts } from "node:net";
import { isIPv4, parseEndpoint } from "../../runtime/core/endpoint.ts";

/** Short connections: each says something unique, gets it back and goes. */
export interface ShortLoad {
  /** `tcp://HOST:PORT` or `unix:PATH` of something that sends back what it gets. */
  readonly endpoint: string;
  /** Connections open at once. */
  readonly concurrency: number;
  /** Connections in all; it may be stopped before. Absent: until it is stopped. */
  readonly total?: number;
  /** Bytes of a payload: at least 16, which hold the connection's number. */
  readonly bytes: number;
  /** Milliseconds between the two halves of a payload: the connection is in the middle of something then. */
  readonly holdMs: number;
  /**
   * New connections a second, at most. Each leaves its port in TIME_WAIT for a minute: without a limit
   * the ports would be what is measured.
   */
  readonly rate: number;
  /** Milliseconds for a connection, beside `holdMs`. */
  readonly timeoutMs: number;
  /**
   * Who ends first: `first` ends our side right behind the payload (half-close) and reads on, `last`
   * ends when all has come back, `mixed` does both in turn.
   */
  readonly close: "first" | "last" | "mixed";
  /** Addresses of 127.0.0.0/8 that connections come from in turn; 0 leaves it to the kernel. */
  readonly sources: number;
}

/** Connections that stay and ask something time and again: whatever happens, they should not notice. */
export interface LongLoad {
  readonly endpoint: string;
  readonly connections: number;
  /** Milliseconds from one ping of a connection to its next. */
  readonly everyMs: number;
  /** Bytes of a ping, at least 16. */
  readonly bytes: number;
  /** A ping without an answer for so long is lost, and its connection broken. */
  readonly timeoutMs: number;
}

/** What has to be said of a load; the rest is filled in. */
export type ShortWish = Partial<ShortLoad> & Pick<ShortLoad, "endpoint">;
export type LongWish = Partial<LongLoad> & Pick<LongLoad, "endpoint">;

export const SHORT = {
  concurrency: 20,
  bytes: 256,
  holdMs: 0,
  rate: 1_500,
  timeoutMs: 10_000,
  close: "mixed",
  sources: 32,
} as const satisfies Partial<ShortLoad>;

export const LONG = {
  connections: 10,
  everyMs: 50,
  bytes: 64,
  timeoutMs: 10_000,
} as const satisfies Partial<LongLoad>;

/** The least payload. */
export const LEAST = 16;

function check(load: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(load)) {
    if (typeof value === "number" && !(value >= 0)) {
      throw new RangeError(`${name} is a number, 0 or above; received ${value}`);
    }
  }
  if (!(Number(load["bytes"]) >= LEAST)) {
    throw new RangeError(`bytes is at least ${LEAST}; received ${load["bytes"]}`);
  }
}

/** @throws RangeError for a number that cannot be, SyntaxError for what is no endpoint. */
export function completeShort(wish: ShortWish): ShortLoad {
  const load: ShortLoad = { ...SHORT, ...wish };
  check({ ...load });
  if (load.concurrency < 1) throw new RangeError("concurrency is at least 1");
  if (load.rate === 0) throw new RangeError("rate is above 0");
  wayTo(load.endpoint);
  return load;
}

/** @throws RangeError for a number that cannot be, SyntaxError for what is no endpoint. */
export function completeLong(wish: LongWish): LongLoad {
  const load: LongLoad = { ...LONG, ...wish };
  check({ ...load });
  wayTo(load.endpoint);
  return load;
}

/** How `node:net` is told to connect. @throws SyntaxError for what is no endpoint of a stream. */
export function wayTo(text: string): NetConnectOpts {
  const endpoint = parseEndpoint(text);
  if (endpoint.transport === "tcp" && "host" in endpoint) {
    return { host: endpoint.host, port: endpoint.port, noDelay: true };
  }
  if (endpoint.transport === "unix" && "path" in endpoint) {
    return { path: endpoint.path.replace(/^@/, "\0") };
  }
  throw new SyntaxError(`the load goes to tcp://HOST:PORT or unix:PATH; received ${text}`);
}

/** The same from one of `sources` addresses of this machine, each of which has ports of its own. */
export function wayFrom(way: NetConnectOpts, sources: number, turn: number): NetConnectOpts {
  const local = "host" in way && isIPv4(way.host ?? "") && way.host!.startsWith("127.");
  if (!local || sources === 0) return way;
  return { ...way, localAddress: `127.0.0.${2 + turn % Math.min(sources, 250)}` };
}
