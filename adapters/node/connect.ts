/** Connections that no listener of ours has accepted, on `node:net`: made by us, or taken by descriptor. */
import { connect as open, Socket } from "node:net";
import type { NamedEndpoint } from "../../runtime/core/contract.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { tcpAddress, toKernelPath, UNNAMED_UNIX } from "../addresses.ts";
import type { Connect } from "../connect.ts";
import type { Adopt } from "../posix/passing.ts";
import { attach } from "./connection.ts";

/** See {@link Connect}. */
export const connect: Connect = async (endpoint, table, data, attempt) => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = open({
    ...("path" in endpoint
      ? { path: toKernelPath(endpoint.path) }
      : { host: endpoint.host, port: endpoint.port }),
    allowHalfOpen: true,
    noDelay: true,
  });
  attempt.giveUp = () => void socket.destroy(new Error("timeout"));
  const fail = (error: Error): void => reject(firstOf(error));
  socket.once("error", fail);
  socket.once("connect", () => {
    socket.off("error", fail);
    attach(socket, table, localOf(socket, endpoint), remoteOf(socket, endpoint), data);
    resolve();
  });
  await promise;
};

/** See {@link Adopt}. */
export const adopt: Adopt = (_libc, fd, { local, remote }, table, data) => {
  const socket = new Socket({ fd, allowHalfOpen: true, readable: true, writable: true });
  attach(socket, table, local, remote, data);
};

/** Of several addresses of one name, each has failed in its own way. */
function firstOf(error: Error): unknown {
  const { errors } = error as Partial<AggregateError>;
  return errors?.[0] ?? error;
}

function localOf({ localAddress, localPort }: Socket, endpoint: NamedEndpoint): Address {
  return "path" in endpoint ? UNNAMED_UNIX : tcpAddress(localAddress, localPort);
}

function remoteOf({ remoteAddress, remotePort }: Socket, endpoint: NamedEndpoint): Address {
  if ("path" in endpoint) return new Address("unix", "", 0, endpoint.path);
  return tcpAddress(remoteAddress, remotePort ?? endpoint.port);
}
