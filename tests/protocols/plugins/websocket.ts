import { createHash } from "node:crypto";
import { definePlugin, PorticoError, type Session, type TwoWayCodec } from "portico";

const MAX = 1024 * 1024;
const OPCODE = { text: 1, close: 8, ping: 9, pong: 10 } as const;

interface Message {
  readonly opcode: number;
  readonly payload: Uint8Array;
}

/** A frame of RFC 6455, section 5.2: a client's are masked, ours are not. Fragments are left out. */
const frame: TwoWayCodec<Message> = {
  next(bytes) {
    if (bytes.length < 2) return 2;
    const short = bytes[1]! & 127;
    const wide = short === 126 ? 2 : short === 127 ? 8 : 0;
    const start = 2 + wide + 4;
    if (bytes.length < start) return start;
    if ((bytes[1]! & 128) === 0) {
      throw new PorticoError("PROTOCOL_ERROR", "not masked");
    }
    let length = wide === 0 ? short : 0;
    for (let i = 2; i < 2 + wide; i++) length = length * 256 + bytes[i]!;
    if (length > MAX) throw new PorticoError("FRAME_TOO_LONG", `a message of ${length} bytes`);
    if (bytes.length < start + length) return start + length;
    const mask = bytes.subarray(start - 4, start);
    const payload = bytes.slice(start, start + length);
    for (let i = 0; i < length; i++) payload[i]! ^= mask[i & 3]!;
    return { value: { opcode: bytes[0]! & 15, payload }, next: start + length };
  },
  encode({ opcode, payload }) {
    const { length } = payload;
    const head = length < 126 ? [length] : length < 65536 ? [126, length >> 8, length & 255] : [
      127,
      ...[0, 0, 0, 0],
      ...[24, 16, 8, 0].map((shift) => (length >>> shift) & 255),
    ];
    const bytes = new Uint8Array(1 + head.length + length);
    bytes.set([128 | opcode, ...head]);
    bytes.set(payload, 1 + head.length);
    return bytes;
  },
};

const close = (code: number): Uint8Array =>
  frame.encode({
    opcode: OPCODE.close,
    payload: new Uint8Array([code >> 8, code & 255]),
  });

/** An echo of messages. At a drain it says close 1001, and waits for the peer's. */
export default definePlugin({
  name: "websocket",
  transports: ["stream"],
  start: () => ({
    setup: () => ({ open: false }),
    async handle(session) {
      if (!await shakeHands(session)) return;
      session.state.open = true;
      for await (const { opcode, payload } of session.frames(frame)) {
        if (opcode === OPCODE.ping) session.write(frame.encode({ opcode: OPCODE.pong, payload }));
        else if (opcode === OPCODE.close) {
          // What is closed from here has been said already.
          if (session.state.open) session.write(frame.encode({ opcode, payload }));
          return;
        } else if (opcode !== OPCODE.pong) await session.send(frame.encode({ opcode, payload }));
      }
    },
    retire(session) {
      if (!session.state.open) return session.end();
      session.state.open = false;
      session.write(close(1001));
      session.deadline("5s");
    },
    error(session, error) {
      const code = (error as PorticoError).code === "FRAME_TOO_LONG" ? 1009 : 1002;
      if (session.state.open) session.write(close(code));
    },
  }),
});

async function shakeHands(session: Session<unknown>): Promise<boolean> {
  const head = await session.readUntil("\r\n\r\n", 8192);
  const text = new TextDecoder().decode(head);
  const key = /^sec-websocket-key:\s*(\S+)/mi.exec(text)?.[1];
  if (key === undefined || !/^upgrade:\s*websocket/mi.test(text)) {
    session.write(
      "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n",
    );
    return false;
  }
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
  session.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept.digest("base64")}\r\n\r\n`,
  );
  return true;
}
