/** Lines into a pipe that may have no reader, and other writers; and into a Unix socket, which differs in size alone. */

/** What a pipe takes whole or not at all, in bytes: PIPE_BUF, pipe(7). */
const PIPE_BUF = 4096;
/** What a Unix socket does on Linux, where nobody has made its buffer smaller: what is one buffer of the kernel's. */
const SOCKET_BUF = 32 * 1024;
const LF = 10;

/** What is to be written now, and how many bytes are done with by that. */
interface Piece {
  readonly bytes: Uint8Array;
  readonly taken: number;
}

/**
 * What is written to a pipe next: whole lines as far as possible, so that those of a server and of its
 * successor do not meet within one; a line that is longer may be torn by others. Deno does not say how
 * much of a write was taken before it failed, so a pipe that never waits gets no more at once than it
 * takes whole.
 */
export function nextPipeWrite(bytes: Uint8Array): Piece {
  return wholeLines(bytes, PIPE_BUF);
}

/** As {@link nextPipeWrite}, to a Unix socket. */
export function nextSocketWrite(bytes: Uint8Array): Piece {
  return wholeLines(bytes, SOCKET_BUF);
}

function wholeLines(bytes: Uint8Array, most: number): Piece {
  if (bytes.length <= most) return { bytes, taken: bytes.length };
  const taken = bytes.lastIndexOf(LF, most - 1) + 1 || most;
  return { bytes: bytes.subarray(0, taken), taken };
}
