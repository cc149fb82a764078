/** Stream sockets that were there already, on their way to a runtime, which closes them from then on. */
import type { BindableEndpoint } from "../../runtime/core/contract.ts";
import type { Inherited } from "../../runtime/core/descriptors.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { inspect } from "./inspect.ts";
import { type Libc, openLibc } from "./libc.ts";
import { SO_TYPE, SOCK_STREAM, SOL_SOCKET } from "./linux.ts";
import { inherit, type SocketFile } from "./path.ts";
import { duplicate, settle } from "./socket.ts";

/** Whether an endpoint is a socket, and not a name for one. */
export function isInherited(endpoint: BindableEndpoint): endpoint is Inherited {
  return "fd" in endpoint;
}

/**
 * Makes sure of a listening socket before a runtime is given it.
 *
 * @returns its file, where that is ours.
 * @throws PorticoError NOT_SUPPORTED for what does not listen.
 */
export async function readyListener(endpoint: Inherited): Promise<SocketFile> {
  const { fd, transport } = endpoint;
  const below = transport === "http" ? "tcp" : transport === "http+unix" ? "unix" : transport;
  libc ??= await openLibc();
  const found = inspect(libc, fd);
  if (found.kind !== "listener" || found.socket.transport !== below) {
    libc.close(fd);
    const text = `descriptor ${fd} is no listening ${transport} socket`;
    throw new PorticoError("NOT_SUPPORTED", text);
  }
  settle(libc, fd);
  return inherit(endpoint);
}

/** As {@link Listener.duplicate}, of a listener whose descriptor is known. */
export async function duplicateOf(fd: number): Promise<number> {
  return duplicate(await openLibc(), fd);
}

/** Closes a duplicate. Not every runtime's own close takes a descriptor that it has not opened. */
export async function release(fd: number): Promise<void> {
  (await openLibc()).close(fd);
}

const word = new Int32Array(new ArrayBuffer(4));
const bytes = new Uint8Array(word.buffer);
let libc: Libc | undefined;

/**
 * Makes sure of a stream socket before a runtime is given it: some take any descriptor.
 *
 * @throws PorticoError NOT_SUPPORTED for what is none; it is closed then.
 */
export async function readyConnection(fd: number): Promise<void> {
  libc ??= await openLibc();
  if (libc.getOption(fd, SOL_SOCKET, SO_TYPE, bytes) < 0 || word[0] !== SOCK_STREAM) {
    throw await refuse(fd);
  }
}

/** Closes what a runtime cannot make a connection of, and says so. */
export async function refuse(fd: number, cause?: unknown): Promise<PorticoError> {
  (await openLibc()).close(fd);
  return new PorticoError("NOT_SUPPORTED", `descriptor ${fd} is no connected stream socket`, {
    ...(cause !== undefined && { cause }),
  });
}
