/**
 * Ports for programs that cannot be given port 0. They lie below those that the kernel gives to whoever asks for any: none
 * of the many sockets of other tests takes one before it is used.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";

const LOWEST = 12_000;
const COUNT = 20_000;

/** The first of some ports, taken at random, with which `bind` does not fail. */
async function find(bind: (port: number) => Promise<void>): Promise<number> {
  for (let tries = 0;; tries++) {
    const port = LOWEST + Math.trunc(Math.random() * COUNT);
    try {
      await bind(port);
      return port;
    } catch (error) {
      if (tries === 20) throw error;
    }
  }
}

/** A port of TCP that is free now. */
export function freePort(): Promise<number> {
  return find(async (port) => {
    const server = createServer().listen(port, "127.0.0.1");
    await once(server, "listening");
    await new Promise((resolve) => server.close(resolve));
  });
}

/** The same of UDP. */
export function freeUdpPort(): Promise<number> {
  return find(async (port) => {
    const socket = createSocket("udp4");
    socket.bind(port, "127.0.0.1");
    await once(socket, "listening");
    await new Promise<void>((resolve) => socket.close(resolve));
  });
}
