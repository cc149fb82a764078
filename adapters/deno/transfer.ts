/**
 * Reading and writing of one connection. `Deno.Conn` has a promise of its own for each, and a set of the reads
 * that are under way, whose table V8 makes anew for each read. Once a full collection has met such a table, it and
 * all that follow are among the old objects, which only the next full collection frees: 3 to 5 % of the CPU time of
 * a small message, in every process that has more than 10 MB of objects. So what is below `Conn` is taken where
 * this Deno shows it.
 */
import { type Core, internals } from "./internals.ts";

export interface Transfer {
  /** Fills a buffer, which has room. Resolves to the number of bytes; at the end to 0 or null. */
  read(into: Uint8Array): Promise<number | null>;
  /** Resolves to the number of bytes that were taken. */
  write(bytes: Uint8Array): Promise<number>;
}

/** All that is needed of it. */
type Reading = Required<Pick<Core, "internalRidSymbol" | "read" | "write">>;

const core = reading(internals()?.core);

function reading(core: Core | undefined): Reading | undefined {
  const { internalRidSymbol, read, write } = core ?? {};
  const whole = typeof internalRidSymbol === "symbol" && typeof read === "function" &&
    typeof write === "function";
  return whole ? { internalRidSymbol, read, write } : undefined;
}

class ResourceTransfer implements Transfer {
  readonly #core: Reading;
  readonly #resource: number;

  constructor(core: Reading, resource: number) {
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
