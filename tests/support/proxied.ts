/** Services that pass on, and servers that they pass on to. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";
import type { InProcessServer } from "./in-process.ts";
import { freePort } from "./ports.ts";

export const UDP = "udp://127.0.0.1:0";
export const TCP = "tcp://127.0.0.1:0";

/** A server that is passed on to, on node:net: what it does with a connection is the test's. */
export async function target(
  t: TestContext,
  serve: (socket: Socket) => void,
  path?: string,
): Promise<{ readonly endpoint: string; readonly sockets: Socket[]; readonly server: Server }> {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    serve(socket);
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  if (path === undefined) server.listen(0, "127.0.0.1");
  else server.listen(path);
  await once(server, "listening");
  const address = server.address();
  const endpoint = path === undefined
    ? `tcp://127.0.0.1:${(address as { port: number }).port}`
    : `unix:${path}`;
  return { endpoint, sockets, server };
}

export const echo = (socket: Socket): void => void socket.pipe(socket);

/** A place where nobody listens. */
export async function nobody(): Promise<string> {
  return `tcp://127.0.0.1:${await freePort()}`;
}

export const proxy = (
  to: string | readonly string[],
  options: object = {},
  service: object = {},
): Record<string, object> => ({
  proxy: { plugin: "proxy", listen: TCP, options: { to, ...options }, ...service },
});

/** Nothing is left: neither of the clients' sessions nor of those towards targets. */
export async function empty(server: InProcessServer): Promise<void> {
  await server.when(
    "as many closes as opens",
    () => server.all({ event: "close" }).length === server.all({ event: "open" }).length,
  );
  assert.equal(server.live("proxy"), 0);
}
