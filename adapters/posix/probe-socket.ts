/** Whether anybody has a socket file open. */
import { connect } from "node:net";
import { Address } from "../../runtime/core/endpoint.ts";
import { ffiSupport, openLibc } from "./libc.ts";
import { AF_UNIX, errnoName, SOCK_NONBLOCK_CLOEXEC, SOCK_STREAM } from "./linux.ts";
import { encode } from "./sockaddr.ts";
import { sockaddrOf } from "./socket.ts";

/** `hidden`: this user may not connect, so that nobody can tell. */
export type Liveness = "live" | "stale" | "hidden";

/**
 * A stream connect tells for both kinds: it is refused (ECONNREFUSED) only when nobody has the file
 * open; a datagram socket answers EPROTOTYPE, a full queue EAGAIN.
 */
export async function probeSocket(path: string): Promise<Liveness> {
  // Not every runtime's own connect tells these apart.
  const code = ffiSupport() === true ? await connectByDescriptor(path) : await connectByName(path);
  if (code === "ECONNREFUSED" || code === "ENOENT") return "stale";
  return code === "EACCES" || code === "EPERM" ? "hidden" : "live";
}

/** The errno's name; empty when somebody accepts. */
async function connectByDescriptor(path: string): Promise<string> {
  const libc = await openLibc();
  const fd = libc.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK_CLOEXEC, 0);
  if (fd < 0) return errnoName(-fd);
  const name = encode(new Address("unix", "", 0, path), AF_UNIX)!;
  const code = libc.connect(fd, sockaddrOf(name), name.size);
  libc.close(fd);
  return code < 0 ? errnoName(-code) : "";
}

function connectByName(path: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect(path);
  socket.once("connect", () => {
    socket.destroy();
    resolve("");
  });
  socket.once("error", ({ code = "unknown" }: NodeJS.ErrnoException) => resolve(code));
  return promise;
}
