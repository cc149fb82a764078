/** What makes contexts of TLS, on every runtime. Loaded when a service has TLS. */
import type { TlsEngine } from "../../runtime/core/tls.ts";
import { ClientContext, ServerContext } from "./context.ts";

/** See {@link Adapter.tls}. */
export const engine: TlsEngine = {
  server: (options) => new ServerContext(options),
  client: (options, name) => new ClientContext(options, name),
};
