/**
 * Stream listeners on `Deno.listen`, which costs 10 to 40 % less CPU for a message than `node:net`
 * under Deno. Accepting is a loop of promises: when it fails it pauses, with back-off, and goes on, or
 * with all others when there are descriptors again; for an error of one connection alone (ECONNABORTED) it does not pause.
 */
import { setTimeout } from "node:timers";
import type {
  BindableEndpoint,
  Listener,
  OptionName,
  SocketOptions,
  StreamTable,
} from "../../runtime/core/contract.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { acceptFailure, concernsOnePeer, isExhausted } from "../errno.ts";
import type { ListenTarget } from "../listen-target.ts";
import { openListener, RuntimeListener } from "../listener.ts";
import { BackOff } from "../posix/back-off.ts";
import { descriptorLimit, type PausableListener } from "../posix/descriptor-limit.ts";
import { findDescriptor } from "../posix/find-descriptor.ts";
import { ffiSupport, openLibc } from "../posix/libc.ts";
import { DenoConnection, setNoDelay } from "./connection.ts";
import type { SwappedListener } from "./descriptor-swap.ts";
import { STREAM } from "./options.ts";
import { nextPoll } from "./poll.ts";

/** As {@link Adapter.listen}, for `tcp` and `unix`. */
export function listen(
  endpoint: BindableEndpoint,
  table: StreamTable,
  options: SocketOptions,
): Promise<Listener> {
  return openListener<RuntimeListener>(endpoint, options, async (target) => {
    const swapped = await swappedListener(target);
    const unstable = typeof Deno.listenDatagram === "function";
    const native = target.inherited === undefined
      ? unstable || options.reusePort !== true
      : swapped !== undefined;
    if (native) return new DenoListener(target, table, options, swapped);
    const { NodeListener } = await import("../node/stream.ts");
    return new NodeListener(target, table, options);
  });
}

/** A listener with the socket that was inherited; undefined where descriptors cannot be swapped, or have run out. */
async function swappedListener(
  { inherited }: ListenTarget,
): Promise<SwappedListener | undefined> {
  if (inherited === undefined) return undefined;
  const { openDescriptorSwap } = await import("./descriptor-swap.ts");
  return (await openDescriptorSwap())?.listener(inherited);
}

/** So many of a crowd are accepted before the kernel is asked who else has something. */
const CROWD = 16;

class DenoListener extends RuntimeListener implements PausableListener {
  readonly ownOptions: readonly OptionName[] = STREAM;
  readonly closesToPause = false;
  readonly unseen = true;
  readonly #table: StreamTable;
  readonly #noDelay: boolean;
  readonly #shared: boolean;
  #listener: Deno.TcpListener | Deno.UnixListener | undefined;
  #fd: number;
  #accepting: Promise<void> | undefined = undefined;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #wake: (() => void) | undefined = undefined;
  #paused = false;

  constructor(
    target: ListenTarget,
    table: StreamTable,
    { noDelay = true, reusePort = false }: SocketOptions,
    swapped: SwappedListener | undefined,
  ) {
    super(target);
    this.#table = table;
    this.#noDelay = noDelay;
    this.#shared = reusePort;
    this.#listener = swapped?.listener;
    this.#fd = swapped?.fd ?? -1;
  }

  override get descriptor(): number {
    return this.#fd;
  }

  get reserved(): boolean {
    return this.#table.reserved === true;
  }

  start(): void {
    const { path, host, port } = this.target;
    if (this.#listener !== undefined) return;
    if (path !== undefined) this.#listener = Deno.listen({ transport: "unix", path });
    else {
      // The key itself asks for --unstable-net, whatever its value.
      const reuse = this.#shared ? { reusePort: true } : {};
      const listener = Deno.listen({ hostname: host, port, ...reuse });
      this.#listener = listener;
      this.address = this.target.address(listener.addr.port);
    }
  }

  /**
   * Accepts when libc is there, which the protection of connections needs: a crowd may take the last
   * descriptor at once, and a module that is imported then ends Deno.
   */
  override begin(): void {
    const protects = !this.target.unix && ffiSupport() === true;
    const ready = protects ? openLibc().catch(() => {}) : Promise.resolve();
    this.#accepting = ready.then(() => this.#accept(this.#listener!));
    if (!this.reserved) descriptorLimit.add(this);
  }

  /** One more may come: by the accept that is under way. */
  pauseAccepting(): void {
    this.#paused = true;
  }

  resumeAccepting(): void {
    this.#paused = false;
    this.#wake?.();
  }

  failure(error: PorticoError): void {
    this.#table.failure(error);
  }

  override find(): Promise<number> {
    return this.#shared && this.#fd < 0 ? findOwn(this.address) : super.find();
  }

  async #accept(listener: Deno.TcpListener | Deno.UnixListener): Promise<void> {
    const backOff = new BackOff();
    let accepted = 0;
    while (!this.closed) {
      if (this.#paused) {
        await new Promise<void>((resolve) => this.#wake = resolve);
        continue;
      }
      try {
        // Closed or not by the time it is here: the kernel has let it in, so it is served.
        const conn = await listener.accept();
        backOff.reset();
        if ("setNoDelay" in conn && this.#noDelay) setNoDelay(conn);
        new DenoConnection(conn, this.#table, this.address).start();
        if (++accepted % CROWD === 0) await nextPoll();
      } catch (thrown) {
        if (this.closed) return;
        if (concernsOnePeer(thrown)) continue;
        if (!this.reserved && isExhausted(thrown)) descriptorLimit.exhausted(this);
        if (this.#paused) continue;
        if (backOff.reports()) {
          this.#table.failure(acceptFailure(thrown, `: accepting on ${this.address} pauses`));
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          this.#timer = setTimeout(resolve, backOff.next());
        });
      }
    }
  }

  /** Deno keeps the socket until the accept that is under way has come back. */
  protected shutdown(): void | Promise<void> {
    descriptorLimit.remove(this);
    clearTimeout(this.#timer);
    this.#wake?.();
    this.#listener?.close();
    return this.#accepting;
  }
}

/** Of this thread's listeners, where these can be told from those of others that share the port. */
async function findOwn(address: Address): Promise<number> {
  const { openDescriptorSwap } = await import("./descriptor-swap.ts");
  const fd = await (await openDescriptorSwap())?.find(address) ?? -1;
  return fd >= 0 ? fd : await findDescriptor(address);
}
