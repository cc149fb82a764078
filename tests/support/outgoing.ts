/** Outgoing sessions: what connects, and servers to connect to. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { Gather } from "../../runtime/core/stream/gather.ts";
import { Outgoing } from "../../runtime/core/outgoing.ts";
import type { LogRecord } from "../../runtime/core/record.ts";
import { adapter } from "./adapter.ts";
import { logTo } from "./in-process.ts";
import { expand } from "./manifest.ts";

/** What a service has to connect with, and all that is said of it. */
export function outgoingOf(
  t: Pick<TestContext, "after">,
  limits: object = {},
  file = "/portico.json",
) {
  const records: LogRecord[] = [];
  const { services } = expand({
    file,
    value: { services: { tested: { plugin: "echo", listen: "tcp://127.0.0.1:0", limits } } },
    locate: () => undefined,
  });
  let id = 0;
  const made = new Outgoing({
    plan: services[0]!,
    log: logTo((record) => records.push(record)),
    gather: new Gather(adapter),
    lends: adapter.features.lends,
    nextId: () => ++id,
  }, adapter);
  t.after(() => made.drain(0));
  const events = (): string[] => records.map(({ event }) => event);
  return { outgoing: made, connect: made.connect, records, events };
}

/** A server on TCP that does what the test says. */
export async function tcpServer(t: TestContext, serve: (socket: Socket) => void): Promise<string> {
  const sockets: Socket[] = [];
  const listener = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    serve(socket);
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    listener.close();
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  return `tcp://127.0.0.1:${(listener.address() as { port: number }).port}`;
}

/** A UDP socket that answers what it gets, twice. */
export async function echoTwice(t: TestContext): Promise<string> {
  const socket = createSocket("udp4");
  t.after(() => new Promise<void>((done) => void socket.close(() => done())));
  socket.on("message", (bytes, { port, address }) => {
    socket.send(bytes, port, address);
    socket.send(bytes, port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return `udp://127.0.0.1:${socket.address().port}`;
}
