/**
 * Connections that a runtime keeps to itself, found by the names of their two sides: what the kernel has
 * received of one, by TCP_INFO, and its end.
 */
import type { Address } from "../../runtime/core/endpoint.ts";
import type { Libc } from "./libc.ts";
import { EBADF, SOL_TCP, TCP_INFO } from "./linux.ts";
import { NAME_BYTES, readStreamName } from "./sockaddr.ts";

/** How far descriptors are looked through, and after how many that are none there are no more. */
const HIGHEST = 1_048_576;
const GAP = 1024;
/** Milliseconds for which what was found is believed: those who ask do so one after the other. */
const AGE = 200;
/** Of struct tcp_info: tcpi_bytes_received, and what it takes to have it. */
const RECEIVED_AT = 128;

const name = new Uint8Array(new ArrayBuffer(NAME_BYTES));
const info = new Uint8Array(new ArrayBuffer(256));
/** The address of no family, AF_UNSPEC, by which a connection is dissolved; connect(2). */
const NOBODY = new Uint8Array(new ArrayBuffer(16));
const words = new DataView(info.buffer);

export class HiddenConnections {
  readonly #libc: Libc;
  /** Descriptors by their peers. */
  #found: Map<string, number> = new Map();
  #foundAt = -Infinity;

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  /** Bytes that have come from this peer to this port; undefined where the connection is not found. */
  received(remote: Address, port: number): number | undefined {
    const fd = this.#find(remote, port);
    if (fd === undefined) return undefined;
    const size = this.#libc.getsockopt(fd, SOL_TCP, TCP_INFO, info);
    if (size < RECEIVED_AT + 8) return undefined;
    return Number(words.getBigUint64(RECEIVED_AT, true));
  }

  /** Resets one: whoever waits for more of it hears that there is none. Its descriptor stays the runtime's. */
  end(remote: Address, port: number): void {
    const fd = this.#find(remote, port);
    if (fd !== undefined) this.#libc.connect(fd, NOBODY, NOBODY.length);
  }

  #find(remote: Address, port: number): number | undefined {
    const key = `${remote.host} ${remote.port} ${port}`;
    const known = this.#found.get(key);
    if (known !== undefined && this.#keyOf(known) === key) return known;
    if (performance.now() - this.#foundAt < AGE) return undefined;
    this.#found = new Map();
    for (let fd = 0, gap = 0; fd < HIGHEST && gap < GAP; fd++) {
      const key = this.#keyOf(fd);
      gap = key === EBADF ? gap + 1 : 0;
      if (typeof key === "string") this.#found.set(key, fd);
    }
    this.#foundAt = performance.now();
    return this.#found.get(key);
  }

  /** Of a connection over IP; else a number. */
  #keyOf(fd: number): string | number {
    const size = this.#libc.getpeername(fd, name);
    if (size < 0) return -size;
    if (size <= 2) return 0;
    const { host, port, path } = readStreamName(name, size);
    if (path !== "" || port === 0) return 0;
    const local = this.#libc.getsockname(fd, name);
    return local < 0 ? -local : `${host} ${port} ${readStreamName(name, local).port}`;
  }
}
