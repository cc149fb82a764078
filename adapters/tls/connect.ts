/**
 * Connections of our own making over TLS, on `node:tls`, which all three runtimes have: what is native
 * on Deno cannot be told whom to trust by name, and Bun's loses what is written before the handshake.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import type { StreamTable } from "../../runtime/core/contract.ts";
import {
  Address,
  formatEndpoint,
  type InternetEndpoint,
  normalizeHost,
  type TlsClient,
} from "../../runtime/core/endpoint.ts";
import { codeOf, messageOf, PorticoError } from "../../runtime/core/errors.ts";
import type { Attempt } from "../connect.ts";
import { connectFailure } from "../errno.ts";
import { attach } from "../node/connection.ts";

/** As {@link Adapter.connect}, to a `tls` endpoint. Resolves when the handshake is done and the server is who it has to be. */
export async function connectTls(
  endpoint: InternetEndpoint,
  table: StreamTable,
  data: unknown,
  attempt: Attempt,
  { ca, cert, key, serverName, rejectUnauthorized = true }: TlsClient = {},
): Promise<void> {
  const { host, port } = endpoint;
  const name = serverName ?? host;
  let socket: TLSSocket;
  try {
    if (cert !== undefined && key !== undefined) checkKey(cert, key);
    socket = connect({
      host,
      port,
      rejectUnauthorized,
      // RFC 6066 knows no addresses as names of servers.
      ...(isIP(name) === 0 && { servername: name }),
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
    });
  } catch (error) {
    throw handshakeFailure(endpoint, error);
  }
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  attempt.giveUp = () => reject(new Error("timeout"));
  const gone = (): void => reject(Object.assign(new Error("closed"), { code: "ECONNRESET" }));
  socket.once("error", reject);
  socket.once("close", gone);
  socket.once("secureConnect", resolve);
  try {
    await promise;
  } catch (error) {
    // What it says while it dies has been said.
    socket.on("error", () => {});
    socket.destroy();
    throw handshakeFailure(endpoint, error);
  } finally {
    socket.off("error", reject);
    socket.off("close", gone);
  }
  socket.setNoDelay(true);
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  const address = (at: string | undefined, on: number | undefined): Address =>
    new Address("tls", normalizeHost(at ?? ""), on ?? 0, "");
  attach(
    socket,
    table,
    address(localAddress, localPort),
    address(remoteAddress ?? host, remotePort ?? port),
    data,
  );
}

/** Deno says nothing of a key that does not belong to its certificate, and goes on without either. */
function checkKey(cert: string, key: string): void {
  if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return;
  throw new Error("the key is not that of the certificate");
}

/** What is no matter of the way there is one of the handshake. */
function handshakeFailure(endpoint: InternetEndpoint, error: unknown): PorticoError {
  const failure = connectFailure(endpoint, error);
  if (codeOf(failure) !== "NOT_SUPPORTED") return failure;
  const text = `cannot connect to ${formatEndpoint(endpoint)}: ${messageOf(error)}`;
  return new PorticoError("TLS_FAILED", text, { cause: error });
}
