/**
 * Reading and writing of one connection. `Deno.Conn` makes a promise of its own for each, and keeps a set of the
 * reads that are under way, whose table V8 makes anew for each read. Once a full collection has met a table, its
 * followers are old objects, too, which only the next full collection frees; a process with more than 10 MB of
 * objects has one soon. That is a tenth of the CPU time of a small message, so Deno is asked below `Conn` where it
 * shows how.
 */
import { type Core, internals } from "./internals.ts";

export interface Transfer {
  /** Fills a buffer, which has room. Resolves to the number of bytes; at the end to 0 or null. */
  read(into: Uint8Array): Promise<number | null>;
  /** Resolves to the number of bytes that were taken. */
  write(bytes: Uint8Array): Promise<number>;
}

/** All that is needed of the core. */
type CoreTransfers = Required<Pick<Core, "internalRidSymbol" | "read" | "write">>;

const core = transfersOf(internals()?.core);

function transfersOf(core: Core | undefined): CoreTransfers | undefined {
  const { internalRidSymbol, read, write } = core ?? {};
  const whole = typeof internalRidSymbol === "symbol" && typeof read === "function" &&
    typeof write === "function";
  return whole ? { internalRidSymbol, read, write } : undefined;
}

class ResourceTransfer implements Transfer {
  readonly #core: CoreTransfers;
  readonly #resource: number;

  constructor(core: CoreTransfers, resource: number) {
    this.#core = core;
    this.#resource = resource;
  }

  read(into: Uint8Array): Promise<number> {
    return this.#core.read(this.#resource, into);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#core.write(this.#resource, bytes);
  }
}

/** The connection itself where Deno does not show what is below it. */
export function transferOf(conn: Deno.TcpConn | Deno.UnixConn): Transfer {
  if (core === undefined) return conn;
  const resource = (conn as unknown as Record<symbol, unknown>)[core.internalRidSymbol];
  return typeof resource === "number" ? new ResourceTransfer(core, resource) : conn;
}
