/**
 * What the listeners of all runtimes have in common: how they are opened, how their descriptor is
 * found and duplicated, and that they close once.
 */
import { closeSync } from "node:fs";
import type {
  BindableEndpoint,
  Listener,
  OptionName,
  SocketOptions,
} from "../runtime/core/contract.ts";
import type { Address } from "../runtime/core/endpoint.ts";
import { PorticoError } from "../runtime/core/errors.ts";
import { acceptFailure, bindFailure } from "./errno.ts";
import { type ListenTarget, listenTarget } from "./listen-target.ts";
import { descriptorLimit, type PausableListener } from "./posix/descriptor-limit.ts";
import { protection } from "./keep-alive.ts";
import { findDescriptor } from "./posix/find-descriptor.ts";
import { duplicateOf } from "./posix/inherited.ts";
import { ffiSupport, openLibc } from "./posix/libc.ts";
import { applyByDescriptor, concerns } from "./posix/options.ts";
import { openResolved } from "./posix/resolve.ts";
import { withFileMode } from "./posix/socket-file.ts";

/**
 * Opens a listener, with its options, and its file in place.
 *
 * @param make one that is to listen on the target, and does not yet.
 * @throws PorticoError of side `config`.
 */
export async function openListener<Made extends RuntimeListener>(
  endpoint: BindableEndpoint,
  options: SocketOptions,
  make: (target: ListenTarget) => Made | Promise<Made>,
): Promise<Made> {
  if ("fd" in endpoint || "path" in endpoint) return await openOn(endpoint, options, make);
  return await openResolved(endpoint, ({ host }) => openOn(endpoint, options, make, host));
}

async function openOn<Made extends RuntimeListener>(
  endpoint: BindableEndpoint,
  options: SocketOptions,
  make: (target: ListenTarget) => Made | Promise<Made>,
  host?: string,
): Promise<Made> {
  let target: ListenTarget | undefined;
  let listener: Made | undefined;
  try {
    target = await listenTarget(endpoint, host);
    listener = await make(target);
    const made = listener;
    // Every runtime binds before it returns.
    await withFileMode("path" in endpoint ? options.mode : undefined, () => made.start(options));
    const { ownOptions } = listener;
    const rest = (Object.keys(options) as OptionName[]).filter((name) =>
      options[name] !== undefined && !ownOptions.includes(name)
    );
    if (rest.length > 0) {
      await applyByDescriptor(await listener.find(), endpoint.transport, options, rest);
    }
    target.publish(options);
    listener.begin();
    protectLater(listener, endpoint, protection(options));
    return listener;
  } catch (error) {
    // What failed here may be served by its former owner still.
    await listener?.close("fd" in endpoint);
    if (!("fd" in endpoint)) target?.release();
    throw bindFailure(endpoint, error);
  }
}

/** In ms: libc is opened for it, and no start of a server has to wait for that. */
const LATER = 100;

/**
 * Sets what protects the connections of a listener over TCP, and what its peers inherit from it. Without
 * FFI the runtime does what it can for each connection.
 */
function protectLater(
  listener: RuntimeListener,
  { transport }: BindableEndpoint,
  options: SocketOptions,
): void {
  const names = (Object.keys(options) as OptionName[]).filter((name) => concerns(name, transport));
  if (names.length === 0 || ffiSupport() !== true) return;
  const protect = async (): Promise<void> => {
    if (listener.isClosed) return;
    await openLibc();
    const fd = await listener.find();
    if (fd < 0 || listener.isClosed) return;
    await applyByDescriptor(fd, transport, options, names);
  };
  setTimeout(() => void protect().catch(() => {}), LATER).unref();
}

/** A listener of a runtime. */
export abstract class RuntimeListener implements Listener {
  /** Where it listens; known once it does. */
  address: Address;
  /** The options that {@link start} sets; the others are set by descriptor. */
  abstract readonly ownOptions: readonly OptionName[];
  protected readonly target: ListenTarget;
  protected closed = false;
  #closing: Promise<void> = Promise.resolve();

  constructor(target: ListenTarget) {
    this.target = target;
    this.address = target.address();
  }

  /** Listens. @throws what the runtime throws. */
  abstract start(options: SocketOptions): void | Promise<void>;

  /** All is set: accepts, where that is not the runtime's own affair. */
  begin(): void {}

  get isClosed(): boolean {
    return this.closed;
  }

  /** The descriptor of its socket, where the runtime shows it; else -1. */
  get descriptor(): number {
    return -1;
  }

  /** The same, looked for where it is not shown; -1 when it is not found. */
  find(): Promise<number> {
    const { descriptor } = this;
    if (descriptor >= 0) return Promise.resolve(descriptor);
    return findDescriptor(this.target.bound(this.address.port));
  }

  async duplicate(): Promise<number> {
    if (this.closed) throw new PorticoError("NOT_SUPPORTED", "the listener is closed");
    return await duplicateOf(await this.find());
  }

  close(keep = false): Promise<void> {
    if (this.closed) return this.#closing;
    this.closed = true;
    if (!keep) this.target.release();
    return this.#closing = Promise.resolve(this.shutdown(keep));
  }

  /** Stops accepting; resolves when the address is free. What never was opened may be shut down, too. */
  protected abstract shutdown(keep: boolean): void | Promise<void>;
}

/**
 * A listener whose runtime has to close it to stop accepting: meanwhile its socket stays open under
 * another descriptor, on which it listens again.
 */
export abstract class ReopenedListener extends RuntimeListener implements PausableListener {
  readonly closesToPause = true;
  /** The socket while accepting pauses; else -1. */
  #kept = -1;

  /** The runtime's own. */
  protected abstract get ownDescriptor(): number;

  override get descriptor(): number {
    return this.#kept >= 0 ? this.#kept : this.ownDescriptor;
  }

  pauseAccepting(kept: number): void {
    this.#kept = kept;
    this.stopListening();
  }

  resumeAccepting(): void {
    const fd = this.#kept;
    this.#kept = -1;
    Promise.try(() => this.listenOn(fd)).catch((error) => this.failure(acceptFailure(error)));
  }

  protected override shutdown(keep: boolean): void | Promise<void> {
    descriptorLimit.remove(this);
    if (this.#kept >= 0) closeSync(this.#kept);
    this.#kept = -1;
    return this.closeRuntime(keep);
  }

  /** Closes the runtime's listener, and none of its connections. */
  protected abstract stopListening(): void;
  /** Listens on a socket that is there already, which it owns. */
  protected abstract listenOn(fd: number): void | Promise<void>;
  /** As {@link shutdown}. */
  protected abstract closeRuntime(keep: boolean): void | Promise<void>;
  abstract failure(error: PorticoError): void;
}
