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
import { type Libc, LIBC_FILES, openLibc } from "../posix/libc.ts";
import { Poller } from "../posix/poller.ts";
import { Blanks } from "./blanks.ts";

/** How long the trial may take, in ms. */
const PATIENCE = 2000;

/** A listener of Deno's with another socket. */
export interface GraftedListener {
  readonly listener: Deno.TcpListener | Deno.UnixListener;
  readonly fd: number;
}

export class Graft {
  readonly poller: Poller;
  readonly #libc: Libc;
  readonly #blanks: Blanks;

  constructor(libc: Libc) {
    this.#libc = libc;
    const { epoll_ctl } = openFirst();
    this.poller = new Poller(libc, epoll_ctl);
    this.#blanks = new Blanks(libc, this.poller);
  }

  /** @throws Error when it cannot work here. */
  async try(): Promise<void> {
    const pair = this.#libc.pair();
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
    const blank = await this.#blanks.take();
    try {
      this.poller.replace(blank.registration.fd, fd);
    } catch (error) {
      this.#blanks.drop(blank);
      throw error;
    }
    this.poller.add(blank.registration);
    this.#libc.close(fd);
    return blank.conn;
  }

  /** As {@link connection}, for a listening socket. */
  async listener({ fd, transport }: Inherited): Promise<GraftedListener> {
    const path = `portico-${crypto.randomUUID()}`;
    const unix = transport === "unix";
    const listener = unix
      ? Deno.listen({ transport: "unix", path: `\0${path}` })
      : Deno.listen({ hostname: "127.0.0.1", port: 0 });
    try {
      const address = unix
        ? new Address("unix", "", 0, `@${path}`)
        : new Address("tcp", "127.0.0.1", (listener.addr as Deno.NetAddr).port, "");
      return { listener, fd: await this.poller.graft(address, fd) };
    } catch (error) {
      listener.close();
      throw error;
    }
  }

  /** The descriptor of a listener of this thread, by the kernel's name for it; -1 when there is none. */
  async find(address: Address): Promise<number> {
    return (await this.poller.listener(address))?.fd ?? -1;
  }
}

let opened: Promise<Graft | undefined> | undefined;

/** The graft of this thread; undefined where there is none. */
export function openGraft(): Promise<Graft | undefined> {
  return opened ??= open();
}

async function open(): Promise<Graft | undefined> {
  if (process.platform !== "linux") return undefined;
  // Without it a person at the terminal would be asked for it.
  if (Deno.permissions.querySync({ name: "read" }).state !== "granted") return undefined;
  try {
    const graft = new Graft(await openLibc());
    await graft.try();
    return graft;
  } catch {
    return undefined;
  }
}

const SYMBOLS = {
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
} as const;

/** @throws Error when libc cannot be opened. */
function openFirst(): Deno.DynamicLibrary<typeof SYMBOLS>["symbols"] {
  let failure: unknown;
  for (const file of LIBC_FILES) {
    try {
      return Deno.dlopen(file, SYMBOLS).symbols;
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}
