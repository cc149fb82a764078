import { constants, fstatSync, openSync, readlinkSync } from "node:fs";
import { isTerminal } from "../values/terminal.ts";
import { nextPipeWrite, nextSocketWrite } from "./pipe.ts";
import { type Destination, Writer } from "./writer.ts";

/** The standard streams that records can go to. */
export type Stream = "stdout" | "stderr";

const shared = new Map<Stream, Writer | undefined>();

/**
 * The writer of a standard stream, one for all sinks, so that their lines keep their order. A reader
 * that goes away (EPIPE) ends it in silence: the server is not there for its log.
 *
 * @param warn is told when writing fails for another reason, as a disk that is full; the first one
 * that is given counts.
 * @returns undefined for standard error where inetd has put the peer's socket there too, as
 * xinetd(8) does: a peer is not to read the log.
 */
export function standard(
  stream: Stream = "stdout",
  warn?: (message: string) => void,
): Writer | undefined {
  if (!shared.has(stream)) {
    const peers = stream === "stderr" && isPeer(2);
    const descriptor = stream === "stdout" ? 1 : 2;
    // What is wrong with standard error cannot be told there.
    const troubled = (reason: string): void => {
      if (stream === "stdout") warn?.(`cannot write to standard output: ${reason}`);
    };
    shared.set(stream, peers ? undefined : new Writer({ ...destinationOf(descriptor), troubled }));
  }
  return shared.get(stream);
}

/** Resolves when what was pushed to the standard streams is out, or could not be written. */
export async function flushStandard(): Promise<void> {
  await Promise.all([...shared.values()].map((writer) => writer?.flush()));
}

/** Erases the line that a terminal's cursor is in. */
export const ERASE = "\r\x1b[2K";
const ERASED: Uint8Array = new TextEncoder().encode(ERASE);
let statusLine = false;

/** Something stands in the line where the next record is printed: it is erased first. */
export function noteStatusLine(): void {
  statusLine = true;
}

function withoutStatusLine(bytes: Uint8Array): { bytes: Uint8Array; taken: number } {
  const taken = bytes.length;
  if (!statusLine) return { bytes, taken };
  statusLine = false;
  const whole = new Uint8Array(ERASED.length + taken);
  whole.set(ERASED);
  whole.set(bytes, ERASED.length);
  return { bytes: whole, taken };
}

/**
 * A reader that has stopped must stop nobody: Deno writes to a pipe on its event loop. So a pipe is
 * opened once more, for ourselves alone, as one that never waits.
 */
function destinationOf(descriptor: 1 | 2): Destination {
  if (isTerminal(descriptor)) return { descriptor, admit: withoutStatusLine };
  try {
    const stats = fstatSync(descriptor);
    // journald gives one, and so do parents on Node and Bun. It cannot be opened once more.
    if (stats.isSocket()) return { descriptor, admit: nextSocketWrite };
    if (!stats.isFIFO()) return { descriptor };
    const { O_WRONLY, O_NONBLOCK } = constants;
    const own = openSync(`/proc/self/fd/${descriptor}`, O_WRONLY | O_NONBLOCK);
    return { descriptor: own, admit: nextPipeWrite };
  } catch {
    // Nobody reads, there is no /proc, or the pipe is somebody else's.
    return { descriptor };
  }
}

/** Whether a descriptor is the very socket that standard input is; proc_pid_fd(5) gives it by its inode. */
function isPeer(descriptor: number): boolean {
  try {
    const socket = readlinkSync("/proc/self/fd/0");
    return socket.startsWith("socket:") && readlinkSync(`/proc/self/fd/${descriptor}`) === socket;
  } catch {
    // Where there is no /proc there is no inetd that this runs under.
    return false;
  }
}
