/** HTTP listeners: how they are opened on every runtime, and what the native ones, Bun's and Deno's, share. */
import type { BindableEndpoint, OptionName, SocketOptions } from "../runtime/core/contract.ts";
import type { Address } from "../runtime/core/endpoint.ts";
import type { HttpListener, HttpTable } from "../runtime/core/exchange.ts";
import { PorticoError } from "../runtime/core/errors.ts";
import { Exchanges, GRACE, type Site, siteOf } from "./exchanges.ts";
import { acceptFailure, bindFailure } from "./errno.ts";
import { guard, type Valve } from "./posix/guard.ts";
import { duplicateOf } from "./posix/inherited.ts";
import { findDescriptor, setRemaining } from "./posix/listen.ts";
import type { Poller, Registration } from "./posix/poller.ts";

/** A listener that is made, and does not listen yet. */
export interface Opening extends HttpListener {
  start(options: SocketOptions): Promise<void>;
  /** The descriptor of its socket. */
  find(): Promise<number>;
}

/**
 * As {@link Adapter.serve}.
 *
 * @param own the options that the runtime sets by itself.
 */
export async function serveOn(
  endpoint: BindableEndpoint,
  options: SocketOptions,
  own: readonly OptionName[],
  make: (site: Site) => Opening,
): Promise<HttpListener> {
  let site: Site | undefined;
  let listener: Opening | undefined;
  try {
    site = await siteOf(endpoint);
    listener = make(site);
    await listener.start(options);
    await setRemaining(() => listener!.find(), endpoint.transport, options, own);
    site.publish(options);
    return listener;
  } catch (error) {
    // What failed here may be served by its former owner still.
    await listener?.close("fd" in endpoint);
    if (!("fd" in endpoint)) site?.release();
    throw bindFailure(endpoint, error);
  }
}

/**
 * A listener of a runtime that takes no descriptor and shows none of its connections. A socket that is
 * there already is put under the descriptor of one that the runtime has bound (`posix/poller.ts`);
 * accepting stops when the runtime's event loop does not wait for it any more.
 */
export abstract class NativeHttp implements Opening, Valve {
  /** Where it listens; known once it does. */
  abstract readonly address: Address;
  protected readonly site: Site;
  protected readonly exchanges: Exchanges;
  protected closed = false;
  #fd = -1;
  #poller: Poller | undefined = undefined;
  #registration: Registration | undefined = undefined;

  constructor(site: Site, table: HttpTable) {
    this.site = site;
    this.exchanges = new Exchanges(table);
  }

  /** Listens, on a socket of its own. @returns the kernel's name for that. */
  protected abstract listen(options: SocketOptions): Address;
  /** @throws Error where there is none, with the reason. */
  protected abstract openPoller(): Promise<Poller>;
  /** Closes the listener and idle connections at once; the others when they have been answered. */
  protected abstract shutdown(): Promise<unknown>;
  abstract abort(): void;

  get over(): Promise<void> {
    return this.exchanges.over;
  }

  async start(options: SocketOptions): Promise<void> {
    const blank = this.listen(options);
    this.exchanges.local = this.address;
    if (this.site.fd >= 0) await this.graft(blank, this.site.fd);
    guard.add(this);
  }

  /** Has what the runtime has bound to `blank` listen on `fd` instead, which is closed. */
  protected async graft(blank: Address, fd: number): Promise<void> {
    this.#fd = await (await this.openPoller()).graft(blank, fd);
  }

  find(): Promise<number> {
    if (this.#fd >= 0) return Promise.resolve(this.#fd);
    return findDescriptor(this.site.bound(this.address.port));
  }

  async duplicate(): Promise<number> {
    if (this.closed) throw new PorticoError("NOT_SUPPORTED", "the listener is closed");
    return await duplicateOf(await this.find());
  }

  async close(keep = false): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    guard.remove(this);
    if (!keep) this.site.release();
    const finish = (): void => this.exchanges.finish();
    const shut = (): void => void this.shutdown().then(finish, finish);
    if (!keep || !await this.#deafen()) return shut();
    const late = setTimeout(shut, GRACE);
    void this.over.then(() => clearTimeout(late));
  }

  /** Accepts nothing more, and leaves the connections alone that have had no request yet. */
  async #deafen(): Promise<boolean> {
    try {
      return await (await this.openPoller()).forget(await this.find());
    } catch {
      return false;
    }
  }

  // As a valve of the guard.

  async ready(): Promise<void> {
    this.#poller = await this.openPoller();
    this.#registration = this.#fd >= 0
      ? await this.#poller.find(this.#fd)
      : await this.#poller.listener(this.site.bound(this.address.port));
    this.#fd = this.#registration?.fd ?? this.#fd;
  }

  shut(): void {
    if (this.#registration !== undefined) this.#poller!.remove(this.#registration);
  }

  open(): void {
    if (this.#registration === undefined) return;
    try {
      this.#poller!.add(this.#registration);
    } catch (error) {
      this.failure(acceptFailure(error));
    }
  }

  failure(error: PorticoError): void {
    this.exchanges.table.failure(error);
  }
}
