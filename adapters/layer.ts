/** What a connection knows of TLS: that a context can have its place. It is loaded where there are contexts, and nowhere else. */
import type { Duplex } from "node:stream";
import type { Connection, StreamTable } from "../runtime/core/contract.ts";
import type { Address } from "../runtime/core/endpoint.ts";
import type { TlsContext } from "../runtime/core/tls.ts";

/** A context as the adapters see it: see {@link Connection.secure}. */
export interface Layer extends TlsContext {
  /**
   * Over a socket of `node:net`, from which nobody else hears any more.
   *
   * @param bound the address of our side, or of a listener on every address.
   * @param remote when it is known already.
   */
  begin(
    stream: Duplex,
    table: StreamTable,
    bound: Address,
    remote: Address | undefined,
    data: unknown,
  ): Connection;
  /**
   * Over any other connection.
   *
   * @param redirect has it tell another table from now on.
   */
  over(
    connection: Connection,
    table: StreamTable,
    redirect: (table: StreamTable) => void,
  ): Connection;
}
