/** WebSocket over a plain stream: a handshake, frames in pull form, and 1001 at a drain. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { dial } from "../support/peers.ts";
import { portOf, serveProtocol } from "../support/protocols.ts";
import type { Scope } from "../support/scope.ts";
import { lackingStrategy, SAMPLE } from "../support/strategies.ts";
import { within } from "../support/until.ts";

/** The client that this runtime has: three of them, of three makers. */
async function open(scope: Scope, port: string): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`);
  socket.binaryType = "arraybuffer";
  scope.after(() => socket.close());
  await within("an open WebSocket", next(socket, "open"));
  return socket;
}

const next = (socket: WebSocket, event: string): Promise<Event> =>
  new Promise((resolve) => socket.addEventListener(event, resolve, { once: true }));

async function echo(socket: WebSocket, message: string | ArrayBuffer): Promise<unknown> {
  const answer = next(socket, "message");
  socket.send(message);
  return (await within("the echo", answer) as MessageEvent).data;
}

for (const strategy of SAMPLE) {
  const skip = lackingStrategy(strategy);
  test(
    `websocket, ${strategy}: messages of all lengths come back, texts and bytes`,
    { skip },
    async (t) => {
      const server = await serveProtocol(t, "websocket", strategy);
      const socket = await open(t, await portOf(server, "websocket"));
      for (const length of [0, 1, 125, 126, 65535, 65536, 1_000_000]) {
        assert.equal(await echo(socket, "x".repeat(length)), "x".repeat(length));
        const bytes = new Uint8Array(length).map((_, i) => i);
        assert.deepEqual(new Uint8Array(await echo(socket, bytes.buffer) as ArrayBuffer), bytes);
      }
      const closed = next(socket, "close");
      socket.close(1000);
      const { code, wasClean } = await within("the close", closed) as CloseEvent;
      assert.deepEqual([code, wasClean], [1000, true]);
      const close = await server.process.record({ event: "close" });
      assert.equal(close["reason"], "done");
    },
  );

  test(`websocket, ${strategy}: at a drain its peer hears 1001, and it is over at once`, {
    skip,
  }, async (t) => {
    const server = await serveProtocol(t, "websocket", strategy, { limits: { drain: "2m" } });
    const socket = await open(t, await portOf(server, "websocket"));
    assert.equal(await echo(socket, "hello"), "hello");
    const closed = next(socket, "close");
    const began = performance.now();
    const drained = server.ctl("drain", "websocket");
    const { code, wasClean } = await within("the close", closed) as CloseEvent;
    assert.deepEqual([code, wasClean], [1001, true]);
    assert.equal((await drained).code, 0);
    const took = performance.now() - began;
    assert.ok(took < 60_000, `${took} ms of the two minutes that a drain may take`);
    assert.deepEqual(server.process.all({ level: /warn|error/ }), []);
  });
}

test("websocket: frames in the packet of the handshake, pings, and a peer that does not mask", async (t) => {
  const server = await serveProtocol(t, "websocket", "async");
  const endpoint = await server.endpoint("websocket", "tcp");
  const hello = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  const peer = await dial(t, endpoint);
  // A text "Hello" of RFC 6455, section 5.7, and a ping without a payload.
  const frames = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
  const ping = [0x89, 0x80, 1, 2, 3, 4];
  peer.send(new Uint8Array([...new TextEncoder().encode(hello), ...frames, ...ping]));
  await peer.hears("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
  const heard = (): Uint8Array => peer.bytes().subarray(peer.text.indexOf("\r\n\r\n") + 4);
  await peer.when("the echo and the pong", () => heard().length === 9);
  assert.deepEqual([...heard()], [0x81, 5, ...new TextEncoder().encode("Hello"), 0x8a, 0]);
  peer.send(new Uint8Array([0x81, 5, 1, 2, 3, 4, 5]));
  await peer.over();
  assert.deepEqual([...heard().subarray(9)], [0x88, 2, 1002 >> 8, 1002 & 255]);
  assert.deepEqual([peer.ended, peer.code], [true, undefined]);

  const other = await dial(t, endpoint);
  other.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await other.over();
  assert.match(other.text, /^HTTP\/1\.1 426 /);
});
