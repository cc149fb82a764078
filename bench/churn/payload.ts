/** Payloads of which no two are alike, so that bytes that went to a wrong connection are noticed. */
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";

/** Two generators at the same server are told apart by this. */
const RUN = randomBytes(4).readUInt32LE();

/** The number of a connection and of its message, then bytes that follow from both. */
export function payload(connection: number, message: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  bytes.writeUInt32LE(RUN, 0);
  bytes.writeUInt32LE(connection >>> 0, 4);
  bytes.writeUInt32LE(message >>> 0, 8);
  let value = (RUN ^ Math.imul(connection, 0x9e3779b1) ^ Math.imul(message, 0x85ebca77)) | 1;
  for (let at = 12; at < length; at++) {
    // xorshift32 (Marsaglia 2003)
    value ^= value << 13;
    value ^= value >>> 17;
    value ^= value << 5;
    bytes[at] = value;
  }
  return bytes;
}

/** What has come back of a payload, and how much of it is not what was sent. */
export class Answer {
  readonly #expected: Buffer;
  received = 0;
  /** Bytes that differ, and bytes beyond the end. */
  wrong = 0;

  constructor(expected: Buffer) {
    this.#expected = expected;
  }

  take(chunk: Uint8Array): void {
    const expected = this.#expected.subarray(this.received, this.received + chunk.length);
    this.received += chunk.length;
    if (Buffer.compare(expected, chunk) === 0) return;
    for (let i = 0; i < chunk.length; i++) if (chunk[i] !== expected[i]) this.wrong++;
  }

  get missing(): number {
    return Math.max(0, this.#expected.length - this.received);
  }
}
