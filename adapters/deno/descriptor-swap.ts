/**
 * Sockets by descriptor, at the speed of Deno's own. Deno has no way to take one, but for `node:net`,
 * which costs a quarter more CPU for each message. So a connection or listener that is Deno's already
 * gets another socket: dup3(2) puts it under the same descriptor, and it is registered with the event
 * loop as the former one was. That this works is tried once for each thread; where it does not (no
 * /proc, no permission to read it, another event loop) `node:net` takes over for good.
 */
import process from "node:process";
import { setTimeout } from "node:timers";
import type { Inherited } from "../../runtime/core/descriptors.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { isShortage } from "../errno.ts";
import { type Libc, openLibc } from "../posix/libc.ts";
import { RuntimeEpoll } from "../posix/runtime-epoll.ts";
import { Placeholders } from "./placeholders.ts";

/** How long the trial may take, in ms. */
const PATIENCE = 2000;

/** A listener of Deno's with another socket. */
export interface SwappedListener {
  readonly listener: Deno.TcpListener | Deno.UnixListener;
  readonly fd: number;
}

export class DescriptorSwap {
  readonly epoll: RuntimeEpoll;
  readonly #libc: Libc;
  readonly #placeholders: Placeholders;

  constructor(libc: Libc) {
    this.#libc = libc;
    this.epoll = new RuntimeEpoll(libc);
    this.#placeholders = new Placeholders(libc, this.epoll);
  }

  /** @throws Error when it cannot work here. */
  async try(): Promise<void> {
    const pair = this.#libc.socketpair();
    const conns: Deno.UnixConn[] = [];
    try {
      for (const fd of pair) conns.push(await this.connection(fd));
    } catch (error) {
      for (const fd of pair.slice(conns.length)) this.#libc.close(fd);
      for (const conn of conns) conn.close();
      throw error;
    }
    const [from, to] = conns as [Deno.UnixConn, Deno.UnixConn];
    const timer = setTimeout(() => to.close(), PATIENCE);
    const bytes = new Uint8Array(1);
    // The first read finds nothing and has to wait for the event loop.
    const reading = to.read(bytes);
    await from.write(Uint8Array.of(42));
    const length = await reading;
    clearTimeout(timer);
    from.close();
    to.close();
    if (length !== 1 || bytes[0] !== 42) throw new Error("something else has arrived");
  }

  /**
   * A connection of Deno's with the socket `fd`, whatever its family.
   *
   * @throws Error when none can be made at present. The descriptor is the caller's still.
   */
  async connection(fd: number): Promise<Deno.UnixConn> {
    const placeholder = await this.#placeholders.take();
    try {
      this.epoll.swap(placeholder.registration.fd, fd);
    } catch (error) {
      this.#placeholders.drop(placeholder);
      throw error;
    }
    this.epoll.add(placeholder.registration);
    this.#libc.close(fd);
    return placeholder.conn;
  }

  /** As {@link connection}, for a listening socket; undefined when that cannot be done at present. */
  listener({ fd, transport }: Inherited): SwappedListener | undefined {
    const path = `portico-${crypto.randomUUID()}`;
    const unix = transport === "unix";
    const listener = unix
      ? Deno.listen({ transport: "unix", path: `\0${path}` })
      : Deno.listen({ hostname: "127.0.0.1", port: 0 });
    try {
      const address = unix
        ? new Address("unix", "", 0, `@${path}`)
        : new Address("tcp", "127.0.0.1", (listener.addr as Deno.NetAddr).port, "");
      return { listener, fd: this.epoll.swapListener(address, fd).fd };
    } catch {
      listener.close();
      return undefined;
    }
  }

  /** The descriptor of a listener of this thread, by the kernel's name for it; -1 when there is none. */
  find(address: Address): number {
    return this.epoll.findListener(address)?.fd ?? -1;
  }
}

let opened: Promise<DescriptorSwap | undefined> | undefined;

/** That of this thread; undefined where it does not work. */
export function openDescriptorSwap(): Promise<DescriptorSwap | undefined> {
  return opened ??= open();
}

async function open(): Promise<DescriptorSwap | undefined> {
  if (process.platform !== "linux") return undefined;
  // Without it a person at the terminal would be asked for it.
  if (Deno.permissions.querySync({ name: "read" }).state !== "granted") return undefined;
  try {
    const swap = new DescriptorSwap(await openLibc());
    await swap.try();
    return swap;
  } catch (error) {
    if (isShortage((error as { cause?: unknown }).cause ?? error)) opened = undefined;
    return undefined;
  }
}
