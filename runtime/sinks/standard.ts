import { readlinkSync } from "node:fs";
import { Writer } from "./writer.ts";

/** The standard streams that records can go to. */
export type Stream = "stdout" | "stderr";

const shared = new Map<Stream, Writer | undefined>();

/**
 * The writer of a standard stream, one for all sinks, so that their lines keep their order. A reader
 * that goes away (EPIPE) ends it in silence: the server is not there for its log.
 *
 * @returns undefined for standard error where inetd has put the peer's socket there too, as
 * xinetd(8) does: a peer is not to read the log.
 */
export function standard(stream: Stream = "stdout"): Writer | undefined {
  if (!shared.has(stream)) {
    const peers = stream === "stderr" && isPeer(2);
    shared.set(stream, peers ? undefined : new Writer(stream === "stdout" ? 1 : 2, () => {}));
  }
  return shared.get(stream);
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
