/** Making a listening stream socket of our own, with every option set. */
import type { BindableEndpoint, SocketOptions } from "../../runtime/core/contract.ts";
import type { Inherited } from "../../runtime/core/descriptors.ts";
import { Address, type InternetEndpoint, type UnixEndpoint } from "../../runtime/core/endpoint.ts";
import { bindFailure } from "../errno.ts";
import type { Libc } from "./libc.ts";
import { AF_UNIX } from "./linux.ts";
import { claim, inherit, type SocketFile, stage } from "./socket-file.ts";
import { encode } from "./peer.ts";
import { apply, bindInternet, bindTo, newSocket, takeOver } from "./socket.ts";

/** What Node asks for as well; the kernel caps it at net.core.somaxconn. */
const BACKLOG = 511;

/** A listening socket. Its descriptor and its file are the caller's to release. */
export interface Listening {
  readonly fd: number;
  readonly address: Address;
  readonly file: SocketFile | undefined;
}

/** @throws PorticoError of side `config`. */
export async function openListening(
  libc: Libc,
  endpoint: BindableEndpoint,
  options: SocketOptions,
): Promise<Listening> {
  // What a listener is set to, its connections inherit.
  const all = endpoint.transport === "tcp"
    ? { ...options, noDelay: options.noDelay ?? true }
    : options;
  if ("fd" in endpoint) return await openInherited(libc, endpoint, all);
  if ("path" in endpoint) return await openUnix(libc, endpoint, all);
  return await openInternet(libc, endpoint, all);
}

async function openInherited(
  libc: Libc,
  endpoint: Inherited,
  options: SocketOptions,
): Promise<Listening> {
  const fd = await takeOver(libc, endpoint, options);
  return { fd, address: endpoint.address, file: inherit(endpoint) };
}

async function openInternet(
  libc: Libc,
  endpoint: InternetEndpoint,
  options: SocketOptions,
): Promise<Listening> {
  const { fd, address } = await bindInternet(libc, endpoint, options, "stream");
  try {
    listen(libc, fd, endpoint, options);
    return { fd, address, file: undefined };
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

async function openUnix(
  libc: Libc,
  endpoint: UnixEndpoint,
  options: SocketOptions,
): Promise<Listening> {
  await claim(endpoint);
  const file = stage(endpoint);
  let fd = -1;
  try {
    fd = newSocket(libc, endpoint, AF_UNIX, "stream");
    if (options.mode !== undefined) libc.fchmod(fd, options.mode);
    const name = new Address("unix", "", 0, file.path);
    bindTo(libc, fd, endpoint, encode(name, AF_UNIX)!);
    apply(libc, fd, AF_UNIX, "unix", options, false);
    listen(libc, fd, endpoint, options);
    file.publish(options.mode);
    return { fd, address: new Address("unix", "", 0, endpoint.path), file };
  } catch (error) {
    if (fd >= 0) libc.close(fd);
    file.release();
    throw bindFailure(endpoint, error);
  }
}

function listen(
  libc: Libc,
  fd: number,
  endpoint: BindableEndpoint,
  options: SocketOptions,
): void {
  const code = libc.listen(fd, options.backlog ?? BACKLOG);
  if (code < 0) throw bindFailure(endpoint, -code);
}
