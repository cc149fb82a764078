/**
 * What the bare servers and the Portico plugins have in common, so that only the way to the socket
 * differs between them.
 */

/** The size of a message where a segment holds several. */
export const MESSAGE = 64;

/** Ends a line. */
export const LF = 0x0a;

/** A peer's half message; bytes of it are ours, as the runtime's buffer may be used again. */
export interface Carry {
  held: Uint8Array | undefined;
}

/** What is before `chunk` and `chunk` itself, when a message was cut in two by the network. */
export function joined(carry: Carry, chunk: Uint8Array): Uint8Array {
  if (carry.held === undefined) return chunk;
  const whole = new Uint8Array(carry.held.length + chunk.length);
  whole.set(carry.held);
  whole.set(chunk, carry.held.length);
  carry.held = undefined;
  return whole;
}

/** The first byte of a message that asks for a garbage collection before its echo. */
export const COLLECT = 0x67;

interface Host {
  gc?: () => void;
  Bun?: { gc(synchronous: boolean): void };
}

/** A full collection: Bun's own, or V8's with `--expose-gc`. */
export function collect(): void {
  const host = globalThis as Host;
  if (host.Bun === undefined) host.gc?.();
  else host.Bun.gc(true);
}
