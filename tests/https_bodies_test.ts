/** Bodies of requests over TLS that nobody takes for a while. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { made, portOf, serve } from "./support/https.ts";
import type { InProcessServer } from "./support/in-process.ts";
import { gate, turns, until, within } from "./support/until.ts";

const BLOCK = new Uint8Array(65_536);
/** Blocks: more than all buffers on the way hold. */
const MANY = 512;

interface Peer {
  readonly socket: TLSSocket;
  /** What it has heard. */
  text: string;
  /** Writes so many blocks, as far as there is room, until nothing has moved for a while. @returns how many are left. */
  crowd(blocks: number): Promise<number>;
}

async function peerOf(t: TestContext, server: InProcessServer): Promise<Peer> {
  const socket = connect({ port: portOf(server), host: "127.0.0.1", ca: made.cert("ca") });
  t.after(() => socket.destroy());
  socket.on("error", () => {});
  await within("a handshake", new Promise<void>((done) => socket.once("secureConnect", done)));
  const crowd = async (blocks: number): Promise<number> => {
    let left = blocks;
    for (let still = 0; still < 10 && left > 0; still++) {
      const before = left;
      while (left > 0 && !socket.writableNeedDrain) {
        socket.write(BLOCK);
        left--;
      }
      await turns(10);
      if (left < before) still = 0;
    }
    return left;
  };
  const peer: Peer = { socket, text: "", crowd };
  socket.setEncoding("latin1").on("data", (text: string) => peer.text += text);
  return peer;
}

const head = (path: string, blocks: number): string =>
  `POST ${path} HTTP/1.1\r\nHost: logs.example\r\nContent-Length: ${blocks * BLOCK.length}\r\n\r\n`;

test("a body that nobody takes holds its peer back, and comes whole when it is taken", async (t) => {
  const { passed, open } = gate();
  const server = await serve(t, async ({ body }) => {
    await passed;
    let bytes = 0;
    for await (const chunk of body!) bytes += chunk.length;
    return new Response(`all ${bytes}.`);
  });
  const peer = await peerOf(t, server);
  peer.socket.write(head("/", MANY));
  const left = await peer.crowd(MANY);
  assert.ok(left > 0, "all of it has been taken");
  open();
  for (let rest = left; rest > 0;) rest = await peer.crowd(rest);
  await until("an answer", () => peer.text.includes(`all ${MANY * BLOCK.length}.`));
});

test("who is answered without it being taken has the answer", async (t) => {
  const server = await serve(t, ({ url }) => new Response(`${new URL(url).pathname}.`));
  const peer = await peerOf(t, server);
  peer.socket.write(head("/first", MANY));
  void peer.crowd(MANY);
  await until("an answer", () => peer.text.includes("/first."));
  // What is under way would be waited for.
  peer.socket.destroy();
});
