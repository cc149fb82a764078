/** HTTP listeners on the servers of Bun and Deno: what they share. */
import type { SocketOptions } from "../runtime/core/contract.ts";
import type { Address } from "../runtime/core/endpoint.ts";
import type { PorticoError } from "../runtime/core/errors.ts";
import type { HttpListener } from "../runtime/core/exchange.ts";
import { acceptFailure } from "./errno.ts";
import { GRACE, type SignalledExchanges } from "./exchanges.ts";
import type { ListenTarget } from "./listen-target.ts";
import { RuntimeListener } from "./listener.ts";
import { descriptorLimit, type PausableListener } from "./posix/descriptor-limit.ts";
import { HiddenConnections } from "./posix/hidden-connections.ts";
import type { Registration, RuntimeEpoll } from "./posix/runtime-epoll.ts";

/**
 * A listener of a runtime that takes no descriptor and shows none of its connections. A socket that is
 * there already is put under the descriptor of one that the runtime has bound (`posix/runtime-epoll.ts`);
 * accepting stops when the runtime's event loop does not wait for it any more.
 */
export abstract class NativeHttp extends RuntimeListener implements HttpListener, PausableListener {
  readonly closesToPause = false;
  protected readonly exchanges: SignalledExchanges;
  /** The descriptor of the listener, where it is known. */
  #fd = -1;
  /** Undefined where there is none. */
  protected epoll: RuntimeEpoll | undefined = undefined;
  #registration: Registration | undefined = undefined;

  constructor(target: ListenTarget, exchanges: SignalledExchanges) {
    super(target);
    this.exchanges = exchanges;
  }

  /** Listens, on a socket of its own. @returns the kernel's name for that. */
  protected abstract listen(options: SocketOptions): Address;
  /** @throws Error where there is none, with the reason. */
  protected abstract openEpoll(): Promise<RuntimeEpoll>;
  /** Closes the listener and idle connections at once; the others when they have been answered. */
  protected abstract stop(): Promise<unknown>;
  abstract abort(): void;

  get over(): Promise<void> {
    return this.exchanges.over;
  }

  /**
   * Loads what accepting is paused with. Before it listens: a crowd that waits for that may take the last
   * descriptor in the first turn in which the runtime accepts.
   */
  async prepare(): Promise<this> {
    this.epoll = await this.openEpoll().catch(() => undefined);
    const libc = this.epoll?.libc;
    if (libc !== undefined) this.exchanges.connections = new HiddenConnections(libc);
    return this;
  }

  async start(options: SocketOptions): Promise<void> {
    const bound = this.listen(options);
    this.exchanges.local = this.address;
    const { inherited } = this.target;
    if (inherited !== undefined) {
      this.swapSocket(this.epoll ?? await this.openEpoll(), bound, inherited.fd);
    }
    descriptorLimit.add(this);
  }

  /** The runtime has closed its socket, and listens on another one. */
  protected forgetSocket(): void {
    this.#registration = undefined;
    this.#fd = -1;
  }

  /** Has what the runtime has bound to `bound` listen on the socket `fd` instead, and closes `fd`. */
  protected swapSocket(epoll: RuntimeEpoll, bound: Address, fd: number): void {
    this.#registration = epoll.swapListener(bound, fd);
    this.#fd = this.#registration.fd;
  }

  override get descriptor(): number {
    return this.#fd;
  }

  protected override async shutdown(keep: boolean): Promise<void> {
    descriptorLimit.remove(this);
    const finish = (): void => this.exchanges.finish();
    let stopping = false;
    const stop = (): void => {
      if (stopping) return;
      stopping = true;
      this.stop().then(finish, finish);
    };
    if (!keep || !await this.#stopAccepting()) return stop();
    const late = setTimeout(stop, GRACE);
    // Nobody waits for those who have not asked yet: the socket must not stay open for them.
    void this.over.then(() => {
      clearTimeout(late);
      stop();
    });
  }

  /** Accepts nothing more, and leaves the connections alone that have had no request yet. */
  async #stopAccepting(): Promise<boolean> {
    try {
      return await (await this.openEpoll()).unregister(await this.find());
    } catch {
      return false;
    }
  }

  prepareToPause(): void {
    this.#registration ??= this.epoll?.findListener(this.target.bound(this.address.port));
    this.#fd = this.#registration?.fd ?? this.#fd;
  }

  pauseAccepting(): void {
    if (this.#registration !== undefined) this.epoll!.remove(this.#registration);
  }

  resumeAccepting(): void {
    if (this.#registration === undefined) return;
    try {
      this.epoll!.add(this.#registration);
    } catch (error) {
      this.failure(acceptFailure(error));
    }
  }

  failure(error: PorticoError): void {
    this.exchanges.table.failure(error);
  }
}
