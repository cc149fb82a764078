/** Connections by descriptor: grafted, or on `node:net` where that cannot be. */
import type { StreamTable } from "../../runtime/core/contract.ts";
import type { Origin } from "../../runtime/core/descriptors.ts";
import { readyConnection } from "../posix/inherited.ts";
import { DenoConnection } from "./connection.ts";
import { openGraft } from "./graft.ts";

/** As {@link Descriptors.adopt}. */
export async function adopt(
  fd: number,
  origin: Origin,
  table: StreamTable,
  data: unknown,
): Promise<void> {
  await readyConnection(fd);
  const graft = await openGraft();
  let conn: Deno.UnixConn;
  try {
    if (graft === undefined) throw new Error("there is no graft");
    conn = await graft.connection(fd);
  } catch {
    // Also when descriptors have run out: this needs no other one.
    const node = await import("../node/adopt.ts");
    return await node.adopt(fd, origin, table, data);
  }
  new DenoConnection(conn, table, origin.local, origin.remote, data).start();
}
