/** What a connection can turn into. */
import type { Connection } from "../../runtime/core/contract.ts";
import type { TlsContext } from "../../runtime/core/tls.ts";
import type { BunConnection } from "./connection.ts";

/** Set when there is TLS: what else there is of it is loaded then. */
export const layers: {
  /** As {@link Connection.secure}; undefined where a stream of JavaScript has to lie between. */
  secure?: (connection: BunConnection, context: TlsContext) => Connection | undefined;
} = {};
