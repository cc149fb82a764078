/** Chunks that are lent, on runtimes whose own chunks are of the type `Buffer`. */
import { Buffer } from "node:buffer";

/**
 * A `Buffer`, as the other chunks of the runtime are, but for `slice`, which copies, as that of any
 * `Uint8Array` does: whoever keeps a part of a chunk trusts in it.
 */
class Chunk extends Uint8Array<ArrayBuffer> {}
Object.setPrototypeOf(Chunk.prototype, Buffer.prototype);
const { slice, subarray } = Uint8Array.prototype;
Object.assign(Chunk.prototype, { slice, subarray });

/** The first `length` bytes of `bytes`. */
export function chunkOf(
  { buffer, byteOffset }: Uint8Array<ArrayBuffer>,
  length: number,
): Uint8Array<ArrayBuffer> {
  return new Chunk(buffer, byteOffset, length);
}
