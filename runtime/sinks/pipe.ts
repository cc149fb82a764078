/** Lines into a pipe that may have no reader. */

/** What a pipe takes whole or not at all, in bytes: PIPE_BUF, pipe(7). */
const PIPE_BUF = 4096;
const LF = 10;

/**
 * What is written to a pipe next: whole lines as far as possible. Deno does not say how much of a write was
 * taken before it failed, so a pipe that never waits gets no more at once than it takes whole.
 */
export function nextPipeWrite(bytes: Uint8Array): { bytes: Uint8Array; taken: number } {
  if (bytes.length <= PIPE_BUF) return { bytes, taken: bytes.length };
  const taken = bytes.lastIndexOf(LF, PIPE_BUF - 1) + 1 || PIPE_BUF;
  return { bytes: bytes.subarray(0, taken), taken };
}
