/** Connections of our own making, on `Deno.connect`. */
import type { NamedEndpoint, StreamTable } from "../../runtime/core/contract.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { connectFailure } from "../errno.ts";
import { DenoConnection, setNoDelay, toAddress } from "./connection.ts";

/** As {@link Adapter.connect}. */
export async function connect(
  endpoint: NamedEndpoint,
  table: StreamTable,
  data: unknown,
  timeout?: number,
): Promise<void> {
  const late = new AbortController();
  const timer = timeout === undefined ? undefined : setTimeout(() => late.abort(), timeout);
  try {
    if ("path" in endpoint) {
      const path = endpoint.path.replace(/^@/, "\0");
      const conn = await Deno.connect({ transport: "unix", path });
      const remote = new Address("unix", "", 0, endpoint.path);
      new DenoConnection(conn, table, new Address("unix", "", 0, ""), remote, data).start();
    } else {
      const { host: hostname, port } = endpoint;
      const conn = await Deno.connect({ hostname, port, signal: late.signal });
      setNoDelay(conn);
      const { localAddr, remoteAddr } = conn;
      new DenoConnection(conn, table, toAddress(localAddr), toAddress(remoteAddr), data).start();
    }
  } catch (error) {
    throw connectFailure(endpoint, late.signal.aborted ? "ETIMEDOUT" : error);
  } finally {
    clearTimeout(timer);
  }
}
