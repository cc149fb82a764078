/**
 * Reading into a buffer of ours. For each read `node:net` makes one of 64 KiB, cuts it to size and
 * leaves it to the collector, which is a third of the CPU time of a bulk stream. Its option `onread`
 * does without, but it is for sockets whose constructor one calls, and not for those that a server
 * accepts, over TLS neither (where a bulk that comes takes less than half with it). So what the option sets is set here, on a socket that is there already: where `node:net`
 * keeps it is seen on sockets that are made with the option. Where that shows nothing, on another
 * runtime's `node:net`, all remains as it is.
 */
import { Buffer } from "node:buffer";
import { Socket } from "node:net";
import { BufferPool } from "../read-buffer.ts";

/** Buffers to read into; not cleared, as those of `node:net`. */
export const pool: BufferPool<Buffer<ArrayBuffer>> = new BufferPool((size) =>
  Buffer.allocUnsafeSlow(size)
);

/** A callback of {@link readInto}: the socket has read `length` bytes. False stops reading. */
export type OnRead = (this: Socket, length: number, buffer: Buffer<ArrayBuffer>) => boolean;

/** Where a socket has what the option sets. */
interface Slots {
  readonly buffer: symbol;
  readonly callback: symbol;
  /** What is asked after each read for another buffer. */
  readonly next: symbol;
}

type Slotted = Socket & Record<symbol, unknown>;

/** Of an accepted socket; `node:net` calls it for the option. */
interface Handle {
  useUserBuffer?(buffer: Uint8Array): void;
}

/** Undefined as long as nobody has looked, false when there are none. */
let slots: Slots | false | undefined = undefined;

/** What the next read of the socket that is being read fills, when it is another buffer. */
let following: Buffer | undefined = undefined;

/** To be called inside {@link OnRead}: the next read fills `buffer`. */
export function readNextInto(buffer: Buffer): void {
  following = buffer;
}

function next(): Buffer | undefined {
  const buffer = following;
  following = undefined;
  return buffer;
}

function find(): Slots | false {
  const callback = (): boolean => true;
  const bytes = Buffer.allocUnsafeSlow(1);
  const fixed = new Socket({ onread: { buffer: bytes, callback } });
  const changing = new Socket({ onread: { buffer: next as () => Buffer, callback } });
  const where = (socket: Socket, value: unknown): symbol | undefined =>
    Object.getOwnPropertySymbols(socket).find((slot) => (socket as Slotted)[slot] === value);
  const found = {
    buffer: where(fixed, bytes),
    callback: where(fixed, callback),
    next: where(changing, next),
  };
  const { buffer, callback: call, next: after } = found;
  if (buffer === undefined || call === undefined || after === undefined) return false;
  return { buffer, callback: call, next: after };
}

/** Whether {@link readInto} is possible, as far as that is known before it is tried; of a socket of `node:tls`, too. */
export function canReadInto(): boolean {
  slots ??= find();
  return slots !== false;
}

/**
 * Has `socket` read into `buffer` from the next read on; `data` events come only for what `onRead`
 * itself pushes.
 *
 * @returns false where that cannot be done: then nothing has changed.
 */
export function readInto(socket: Socket, buffer: Buffer, onRead: OnRead): boolean {
  const { _handle: handle } = socket as unknown as { _handle?: Handle | null };
  if (slots === undefined || slots === false || handle?.useUserBuffer === undefined) return false;
  try {
    handle.useUserBuffer(buffer);
  } catch {
    slots = false;
    return false;
  }
  const slotted = socket as Slotted;
  slotted[slots.buffer] = buffer;
  slotted[slots.callback] = onRead;
  slotted[slots.next] = next;
  return true;
}
