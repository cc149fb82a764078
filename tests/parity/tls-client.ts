/** TLS of clients, over a connection that they can cut off or reset whatever TLS would do. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { certificates, type Scope, within } from "./support.ts";

/** Begins TLS over a connection, as a client that trusts the authority of the tests. */
export function secured(scope: Scope, socket: Socket, options: ConnectionOptions = {}): TLSSocket {
  const trust = { ca: certificates().cert("ca"), servername: "logs.example" };
  const client = connectTls({ socket, ...trust, ...options });
  scope.after(() => void client.destroy());
  return client;
}

/**
 * A connection that leads to another one, both of which end as the other one does. What speaks TLS over the first has
 * no say in how the second ends.
 */
export async function lead(scope: Scope, wire: Socket): Promise<Socket> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const mine = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const [inner] = await within("a connection", once(server, "connection")) as [Socket];
  server.close();
  for (const [from, to] of [[wire, inner], [inner, wire]] as const) {
    scope.after(() => void from.destroy());
    from.on("error", () => {});
    from.on("close", () => void to.destroySoon());
    from.pipe(to);
  }
  return mine;
}
