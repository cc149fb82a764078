/** Where a listener is to listen: the same steps for streams and HTTP on every runtime. */
import type { BindableEndpoint, SocketOptions } from "../runtime/core/contract.ts";
import type { Inherited } from "../runtime/core/descriptors.ts";
import { Address } from "../runtime/core/endpoint.ts";
import { fromKernelPath, toKernelPath } from "./addresses.ts";
import { checkListener, isInherited } from "./posix/inherited.ts";
import { claimPath } from "./posix/socket-file.ts";

export interface ListenTarget {
  /** The socket that is there already; undefined for none. */
  readonly inherited: Inherited | undefined;
  readonly unix: boolean;
  /** What to bind of a Unix socket that is not there yet; an abstract name begins with NUL. */
  readonly path: string | undefined;
  readonly host: string;
  readonly port: number;
  /** The kernel's name for what is bound, for a port that is known by now. */
  bound(port?: number): Address;
  /** What is told of it. */
  address(port?: number): Address;
  /** Lets a Unix socket appear at its path, with these permissions. */
  publish(options: SocketOptions): void;
  /** Removes the file that is ours, published or not. May be called twice. */
  release(): void;
}

/**
 * Prepares to listen: makes the path of a Unix socket free.
 *
 * @param host what that of an Internet endpoint comes to.
 * @throws PorticoError EADDRINUSE, ENAMETOOLONG, EACCES; NOT_SUPPORTED for a descriptor
 * that does not listen.
 */
export async function listenTarget(
  endpoint: BindableEndpoint,
  host?: string,
): Promise<ListenTarget> {
  if (isInherited(endpoint)) return await inheritedTarget(endpoint);
  const { transport } = endpoint;
  if ("path" in endpoint) {
    const file = await claimPath(endpoint, "stream");
    const bound = new Address("unix", "", 0, fromKernelPath(file.path));
    const address = new Address(transport, "", 0, endpoint.path);
    return {
      inherited: undefined,
      unix: true,
      path: toKernelPath(file.path),
      host: "",
      port: 0,
      bound: () => bound,
      address: () => address,
      publish: ({ mode }) => file.publish(mode),
      release: () => file.release(),
    };
  }
  const { port } = endpoint;
  const literal = host ?? endpoint.host;
  return {
    inherited: undefined,
    unix: false,
    path: undefined,
    host: literal,
    port,
    bound: (known = port) => new Address("tcp", literal, known, ""),
    address: (known = port) => new Address(transport, literal, known, ""),
    publish() {},
    release() {},
  };
}

async function inheritedTarget(endpoint: Inherited): Promise<ListenTarget> {
  const file = await checkListener(endpoint);
  const { address } = endpoint;
  const { host, path, port } = address;
  const unix = path !== "";
  const bound = new Address(unix ? "unix" : "tcp", host, port, path);
  return {
    inherited: endpoint,
    unix,
    path: undefined,
    host,
    port,
    bound: () => bound,
    address: () => address,
    publish() {},
    release: () => file.release(),
  };
}
