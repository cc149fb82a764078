/** Connections that no listener of ours has accepted: made with `Deno.connect`, or taken by descriptor. */
import { Address } from "../../runtime/core/endpoint.ts";
import { toKernelPath, UNNAMED_UNIX } from "../addresses.ts";
import type { Connect } from "../connect.ts";
import type { Adopt } from "../posix/passing.ts";
import { DenoConnection, setNoDelay, toAddress } from "./connection.ts";

/** See {@link Connect}. */
export const connect: Connect = async (endpoint, table, data, attempt) => {
  if ("path" in endpoint) {
    const path = toKernelPath(endpoint.path);
    const conn = await Deno.connect({ transport: "unix", path });
    const remote = new Address("unix", "", 0, endpoint.path);
    return new DenoConnection(conn, table, UNNAMED_UNIX, remote, data).start();
  }
  const abort = new AbortController();
  attempt.giveUp = () => abort.abort();
  const { host: hostname, port } = endpoint;
  const conn = await Deno.connect({ hostname, port, signal: abort.signal });
  setNoDelay(conn);
  const { localAddr, remoteAddr } = conn;
  new DenoConnection(conn, table, toAddress(localAddr), toAddress(remoteAddr), data).start();
};

/** See {@link Adopt}. On `node:net` where descriptors cannot be swapped. */
export const adopt: Adopt = async (libc, fd, origin, table, data) => {
  const { openDescriptorSwap } = await import("./descriptor-swap.ts");
  let conn: Deno.UnixConn;
  try {
    // What is to speak TLS is better off with a socket of node:net: see `streamFor`.
    const upgrades = table.upgrades === true || origin.local.transport === "tls";
    const swap = upgrades ? undefined : await openDescriptorSwap();
    if (swap === undefined) throw new Error("descriptors cannot be swapped here");
    conn = await swap.connection(fd);
  } catch {
    // Also when descriptors have run out: this needs no other one.
    const node = await import("../node/connect.ts");
    return node.adopt(libc, fd, origin, table, data);
  }
  new DenoConnection(conn, table, origin.local, origin.remote, data).start();
};
