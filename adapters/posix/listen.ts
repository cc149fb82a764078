/** What opening a stream listener needs on every runtime: the socket's file, and the options left over. */
import type { BindableEndpoint, OptionName, SocketOptions } from "../../runtime/core/contract.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import type { Transport, UnixEndpoint } from "../../runtime/core/endpoint.ts";
import type { SocketFile } from "./path.ts";

/** A Unix socket on its way to its path. */
export interface StagedFile {
  /** The address of the endpoint itself. */
  readonly address: Address;
  /** What the runtime binds; an abstract name begins with NUL. */
  readonly path: string;
  /** Lets the socket appear at its path, with these permissions. */
  publish(mode: number | undefined): void;
  /** Removes what is still ours, published or not. May be called twice. */
  release(): void;
}

/**
 * Makes the path of a Unix endpoint free and stages the socket; undefined for TCP.
 *
 * @throws PorticoError EADDRINUSE, ENAMETOOLONG, EACCES.
 */
export async function stageFile(endpoint: BindableEndpoint): Promise<StagedFile | undefined> {
  if (!("path" in endpoint)) return undefined;
  const { claim, stage } = await import("./path.ts");
  await claim(endpoint as UnixEndpoint);
  const staged = stage(endpoint);
  let file: SocketFile | undefined;
  return {
    address: new Address("unix", "", 0, endpoint.path),
    path: staged.path.replace(/^@/, "\0"),
    publish(mode) {
      file = staged.publish(mode);
    },
    release() {
      if (file === undefined) staged.discard();
      else file.release();
    },
  };
}

/** Sets by descriptor what the runtime could not set by itself. FFI is loaded only if there is something. */
export async function setRemaining(
  fd: number | (() => Promise<number>),
  transport: Transport,
  options: SocketOptions,
  done: readonly OptionName[],
): Promise<void> {
  const names = (Object.keys(options) as OptionName[]).filter((name) =>
    options[name] !== undefined && !done.includes(name)
  );
  if (names.length === 0) return;
  const { applyByDescriptor } = await import("./options.ts");
  await applyByDescriptor(typeof fd === "number" ? fd : await fd(), transport, options, names);
}

/** The descriptor of a listener whose runtime does not tell it. */
export async function findDescriptor(address: Address): Promise<number> {
  const { openLibc } = await import("./libc.ts");
  const { descriptorOf } = await import("./descriptor.ts");
  return descriptorOf(await openLibc(), "listener", address);
}
