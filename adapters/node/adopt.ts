/** Connections by descriptor, on `node:net`: Node's own, and what Deno falls back on. */
import { Socket } from "node:net";
import type { StreamTable } from "../../runtime/core/contract.ts";
import type { Origin } from "../../runtime/core/descriptors.ts";
import { readyConnection, refuse } from "../posix/inherited.ts";
import { attach } from "./connection.ts";

/** As {@link Descriptors.adopt}. */
export async function adopt(
  fd: number,
  origin: Origin,
  table: StreamTable,
  data: unknown,
): Promise<void> {
  await readyConnection(fd);
  let socket: Socket;
  try {
    socket = new Socket({ fd, allowHalfOpen: true, readable: true, writable: true });
  } catch (error) {
    throw await refuse(fd, error);
  }
  attach(socket, table, origin.local, origin.remote, data);
}
