/** Listening sockets that were there already, on their way to a runtime, which closes them from then on. */
import type { BindableEndpoint } from "../../runtime/core/contract.ts";
import type { Inherited } from "../../runtime/core/descriptors.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { socketTransport } from "../addresses.ts";
import { inspect } from "./inspect.ts";
import { openLibc } from "./libc.ts";
import { inheritedFile, type SocketFile } from "./socket-file.ts";
import { duplicate } from "./passing.ts";
import { makeNonBlocking } from "./socket.ts";

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
export async function checkListener(endpoint: Inherited): Promise<SocketFile> {
  const { fd, transport } = endpoint;
  const libc = await openLibc();
  const found = inspect(libc, fd);
  if (found.kind !== "listener" || found.socket.transport !== socketTransport(transport)) {
    libc.close(fd);
    const text = `descriptor ${fd} is no listening ${transport} socket`;
    throw new PorticoError("NOT_SUPPORTED", text);
  }
  makeNonBlocking(libc, fd);
  return inheritedFile(endpoint);
}

/** As {@link Listener.duplicate}, of a listener whose descriptor is known. */
export async function duplicateOf(fd: number): Promise<number> {
  return duplicate(await openLibc(), fd);
}

/** Closes a duplicate. Not every runtime's own close takes a descriptor that it has not opened. */
export async function release(fd: number): Promise<void> {
  (await openLibc()).close(fd);
}
