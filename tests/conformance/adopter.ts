/** A thread that echoes on the connections whose descriptors it is told; see `adoption.ts`. */
import { parentPort } from "node:worker_threads";
import { loadAdapter } from "../../adapters/mod.ts";
import type { Connection, StreamTable } from "../../runtime/core/contract.ts";
import { Address, type Transport } from "../../runtime/core/endpoint.ts";

/** What the other thread says. */
export interface Order {
  readonly fd: number;
  readonly remote: Plain;
  readonly local: Plain;
}

/** An address, as it comes through a message. */
interface Plain {
  readonly transport: Transport;
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

const port = parentPort!;
const { adopt } = await (await loadAdapter()).descriptors();

const table: StreamTable = {
  open: () => {},
  data: (connection: Connection, chunk) => void connection.write(chunk),
  drain: () => {},
  end: (connection) => connection.end(),
  close: (connection, error) => port.postMessage(error?.message ?? String(connection.data)),
  failure: () => {},
};

port.on("message", async ({ fd, remote, local }: Order) => {
  const origin = { remote: addressOf(remote), local: addressOf(local) };
  await adopt(fd, origin, table, `${origin.remote}`);
});
port.postMessage("ready");

function addressOf({ transport, host, port, path }: Plain): Address {
  return new Address(transport, host, port, path);
}
