/**
 * Listeners of our own, which give away what they accept by descriptor: accept4(2) through FFI, and
 * no object of the runtime for a connection. When descriptors run out, whoever connects waits in the
 * kernel's queue.
 */
import type { BindableEndpoint, Listener, SocketOptions } from "../../runtime/core/contract.ts";
import type { AdmitTable, Origin } from "../../runtime/core/descriptors.ts";
import { Address, type Transport } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { isWildcard } from "../addresses.ts";
import { acceptFailure, bindFailure, concernsOnePeer } from "../errno.ts";
import { BackOff } from "./back-off.ts";
import type { Libc, ReadWatch } from "./libc.ts";
import { descriptorLimit, type PausableListener } from "./descriptor-limit.ts";
import { EAGAIN, EMFILE } from "./linux.ts";
import { type BoundSocket, openSocket } from "./open-socket.ts";
import { NAME_BYTES, readStreamName } from "./sockaddr.ts";
import { duplicate } from "./passing.ts";
import { boundName } from "./socket.ts";

/** Connections accepted in one turn of the event loop. */
const TURN = 64;

const name = new Uint8Array(new ArrayBuffer(NAME_BYTES));
const size = new Uint32Array(new ArrayBuffer(4));

/** See {@link Descriptors.admit}. */
export async function admit(
  libc: Libc,
  endpoint: BindableEndpoint,
  table: AdmitTable,
  options: SocketOptions,
): Promise<Listener> {
  const bound = await openSocket(libc, endpoint, options, "stream");
  const listener = new AcceptingListener(libc, bound, table, endpoint.transport);
  try {
    listener.start();
  } catch (error) {
    await listener.close();
    throw bindFailure(endpoint, error);
  }
  return listener;
}

/** What speaks TLS says so, though it is TCP to the kernel. */
function told(address: Address, transport: Transport): Address {
  if (transport !== "tls" || address.transport === "tls") return address;
  return new Address(transport, address.host, address.port, address.path);
}

class AcceptingListener implements Listener, PausableListener {
  readonly closesToPause = false;
  readonly address: Address;
  readonly #libc: Libc;
  readonly #table: AdmitTable;
  readonly #bound: BoundSocket;
  /** Each connection has to be asked where it arrived. */
  readonly #wildcard: boolean;
  #watch: ReadWatch | undefined = undefined;
  #scheduled = false;
  readonly #backOff = new BackOff();
  #timer: NodeJS.Timeout | undefined = undefined;
  /** Descriptors are short, here or for another listener. */
  #paused = false;
  #closed: Promise<void> | undefined = undefined;

  constructor(libc: Libc, bound: BoundSocket, table: AdmitTable, transport: Transport) {
    this.#libc = libc;
    this.#table = table;
    this.#bound = bound;
    this.address = told(bound.address, transport);
    this.#wildcard = isWildcard(this.address);
  }

  get descriptor(): number {
    return this.#bound.fd;
  }

  start(): void {
    descriptorLimit.add(this);
    this.#watch = this.#libc.watch(this.#bound.fd, this.#readable);
  }

  // Callbacks run in a turn of their own: an exception in the FFI's would end the process.
  readonly #readable = (): void => {
    if (this.#scheduled || this.#paused || this.#timer !== undefined) return;
    this.#scheduled = true;
    setImmediate(this.#accept);
  };

  readonly #accept = (): void => {
    this.#scheduled = false;
    for (let i = 0; i < TURN; i++) {
      if (this.#closed !== undefined || this.#paused) return;
      const fd = this.#libc.accept(this.#bound.fd, name, size);
      if (fd >= 0) {
        this.#backOff.reset();
        this.#table.arrive(fd, this.#originOf(fd));
        descriptorLimit.accepted(fd);
        continue;
      }
      if (fd === -EAGAIN) {
        // Who comes in numbers is not waited for with a thread, which may be slow to wake.
        if (i === 0 || !this.#watch!.threaded) return this.#watch!.rearm();
        break;
      }
      if (fd === -EMFILE) {
        this.pauseAccepting();
        return descriptorLimit.exhausted(this);
      }
      if (!concernsOnePeer(-fd)) return this.#pause(-fd);
    }
    this.#readable();
  };

  #originOf(fd: number): Origin {
    const { transport } = this.address;
    // The name is read before the next call writes over it.
    const remote = told(readStreamName(name, size[0]!), transport);
    if (!this.#wildcard) return { remote, local: this.address };
    try {
      return { remote, local: told(boundName(this.#libc, fd, "stream"), transport) };
    } catch {
      // The peer has reset it; whoever reads will hear that.
      return { remote, local: this.address };
    }
  }

  pauseAccepting(): void {
    this.#paused = true;
    this.#watch!.suspend();
  }

  resumeAccepting(): void {
    this.#paused = false;
    if (this.#closed === undefined) this.#readable();
  }

  failure(error: PorticoError): void {
    this.#table.failure(error);
  }

  /** Accepts nobody for a while: whoever connects waits in the kernel's queue. */
  #pause(errno: number): void {
    this.#watch!.suspend();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#readable();
    }, this.#backOff.next());
    if (!this.#backOff.reports()) return;
    this.#table.failure(acceptFailure(errno, `: accepting on ${this.address} pauses`));
  }

  duplicate(): Promise<number> {
    return Promise.try(() => {
      if (this.#closed === undefined) return duplicate(this.#libc, this.#bound.fd);
      throw new PorticoError("NOT_SUPPORTED", `${this.address} is closed`);
    });
  }

  close(keep = false): Promise<void> {
    return this.#closed ??= Promise.try(() => this.#release(keep));
  }

  #release(keep: boolean): void {
    clearTimeout(this.#timer);
    descriptorLimit.remove(this);
    this.#watch?.close();
    if (!keep) this.#bound.file?.release();
    this.#libc.close(this.#bound.fd);
  }
}
