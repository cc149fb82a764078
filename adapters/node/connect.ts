/** Connections of our own making, on `node:net`. */
import { connect as open, type Socket } from "node:net";
import type { NamedEndpoint, StreamTable } from "../../runtime/core/contract.ts";
import { Address, normalizeHost } from "../../runtime/core/endpoint.ts";
import { attach } from "./connection.ts";
import { connectFailure } from "../errno.ts";

/** As {@link Adapter.connect}. */
export async function connect(
  endpoint: NamedEndpoint,
  table: StreamTable,
  data: unknown,
  timeout?: number,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = open({
    ...("path" in endpoint
      ? { path: endpoint.path.replace(/^@/, "\0") }
      : { host: endpoint.host, port: endpoint.port }),
    allowHalfOpen: true,
    noDelay: true,
  });
  const timer = timeout === undefined ? undefined : setTimeout(() => {
    socket.destroy(Object.assign(new Error("timeout"), { code: "ETIMEDOUT" }));
  }, timeout);
  const fail = (error: Error): void => reject(firstOf(error));
  socket.once("error", fail);
  socket.once("connect", () => {
    socket.off("error", fail);
    attach(socket, table, localOf(socket, endpoint), remoteOf(socket, endpoint), data);
    resolve();
  });
  try {
    await promise;
  } catch (error) {
    throw connectFailure(endpoint, error);
  } finally {
    clearTimeout(timer);
  }
}

/** Of several addresses of one name, each has failed in its own way. */
function firstOf(error: Error): unknown {
  const { errors } = error as Partial<AggregateError>;
  return errors?.[0] ?? error;
}

function localOf({ localAddress, localPort }: Socket, endpoint: NamedEndpoint): Address {
  if ("path" in endpoint) return new Address("unix", "", 0, "");
  return new Address("tcp", normalizeHost(localAddress ?? ""), localPort ?? 0, "");
}

function remoteOf({ remoteAddress, remotePort }: Socket, endpoint: NamedEndpoint): Address {
  if ("path" in endpoint) return new Address("unix", "", 0, endpoint.path);
  return new Address("tcp", normalizeHost(remoteAddress ?? ""), remotePort ?? endpoint.port, "");
}
