/** Connections of our own making over TLS: see {@link Adapter.connect}. */
import { connect } from "node:net";
import type { StreamTable } from "../../runtime/core/contract.ts";
import {
  formatEndpoint,
  type InternetEndpoint,
  type TlsClient,
} from "../../runtime/core/endpoint.ts";
import { messageOf, PorticoError } from "../../runtime/core/errors.ts";
import { ipAddress } from "../addresses.ts";
import type { Attempt } from "../connect.ts";
import { connectFailure } from "../errno.ts";
import { begin, type TlsConnection } from "./connection.ts";
import { ClientContext } from "./context.ts";

/** To a `tls` endpoint. Resolves when the handshake is done and the server is who it has to be. */
export async function connectTls(
  endpoint: InternetEndpoint,
  table: StreamTable,
  data: unknown,
  attempt: Attempt,
  options: TlsClient = {},
): Promise<void> {
  const { host, port } = endpoint;
  const context = inContext(endpoint, () => new ClientContext(options, host));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
  attempt.giveUp = () => {
    socket.destroy();
    reject("ETIMEDOUT");
  };
  socket.once("error", reject);
  try {
    await Promise.race([promise, new Promise((connected) => socket.once("connect", connected))]);
    const { localAddress, localPort, remoteAddress, remotePort } = socket;
    const local = ipAddress("tls", localAddress, localPort);
    const remote = ipAddress("tls", remoteAddress ?? host, remotePort ?? port);
    const connection = begin(
      context,
      socket,
      handshake(table, resolve, reject),
      local,
      remote,
      data,
    );
    attempt.giveUp = () => connection.abort(true);
    await promise;
  } catch (error) {
    if (!(error instanceof PorticoError)) throw connectFailure(endpoint, error);
    const { code, message, cause, side } = error;
    const text = `cannot connect to ${formatEndpoint(endpoint)}: ${message}`;
    throw new PorticoError(code, text, { cause, side });
  } finally {
    socket.off("error", reject);
  }
}

/**
 * The table of a connection that is to be secured as soon as it is there. Until the handshake is done nobody else is
 * told; then it is as if the connection had been made there.
 */
export function handshake(
  table: StreamTable,
  done: () => void,
  failed: (error: unknown) => void,
  context?: ClientContext,
): StreamTable {
  return {
    open: (connection) => void (context !== undefined && connection.secure!(context)),
    data() {},
    drain() {},
    end() {},
    failure() {},
    secured(connection) {
      (connection as TlsConnection).table = table;
      table.open(connection);
      done();
    },
    close: (_connection, error) => failed(error ?? "ETIMEDOUT"),
  };
}

/** What is wrong with certificates of ours has never been seen by the server, and is a failed handshake all the same. */
function inContext<Made>(endpoint: InternetEndpoint, make: () => Made): Made {
  try {
    return make();
  } catch (error) {
    const text = `cannot connect to ${formatEndpoint(endpoint)}: ${messageOf(error)}`;
    throw new PorticoError("TLS_FAILED", text, { cause: error });
  }
}
