/**
 * Placeholders for connections: `Deno.UnixConn` objects without a peer, each waiting to be given a
 * socket. They are made in batches, and some are kept ready while there is demand.
 */
import { setTimeout } from "node:timers";
import { Address } from "../../runtime/core/endpoint.ts";
import type { Libc } from "../posix/libc.ts";
import { AF_UNIX, SOCK_NONBLOCK_CLOEXEC, SOCK_STREAM } from "../posix/linux.ts";
import type { Registration, RuntimeEpoll } from "../posix/runtime-epoll.ts";
import { encode, NAME_BYTES, readStreamName } from "../posix/sockaddr.ts";
import { sockaddrOf } from "../posix/socket.ts";

/** A connection of the runtime's, its descriptor, and how that was registered; it is not at present. */
export interface Placeholder {
  readonly conn: Deno.UnixConn;
  readonly registration: Registration;
}

/** How many are kept ready at first, and at most. */
const READY_FIRST = 4;
const READY_MAX = 128;
/** The largest batch. */
const BATCH = 256;
/** Twice as many are kept ready when the next batch is due within so many milliseconds. */
const SOON = 50;
/** Milliseconds without demand after which none is kept. */
const IDLE = 1000;

const name = new Uint8Array(new ArrayBuffer(NAME_BYTES));

export class Placeholders {
  readonly #libc: Libc;
  readonly #epoll: RuntimeEpoll;
  #ready: Placeholder[] = [];
  #size = READY_FIRST;
  #waiting = 0;
  /** When the last batch was begun. */
  #since = -Infinity;
  #filling: Promise<void> | undefined = undefined;
  #demand = false;
  #checking = false;

  constructor(libc: Libc, epoll: RuntimeEpoll) {
    this.#libc = libc;
    this.#epoll = epoll;
  }

  /**
   * One of them, the caller's.
   *
   * @throws Error when none can be made: descriptors have run out, or the kernel is not as expected.
   */
  async take(): Promise<Placeholder> {
    this.#demand = true;
    if (!this.#checking) this.#checkDemand();
    for (;;) {
      const placeholder = this.#ready.pop();
      if (placeholder === undefined) {
        this.#waiting++;
        try {
          await this.#fill();
        } finally {
          this.#waiting--;
        }
        continue;
      }
      // Failing to make more concerns those who will need them.
      if (this.#ready.length < this.#size / 2) this.#fill().catch(() => {});
      return placeholder;
    }
  }

  /** Closes one that was not used. */
  drop({ conn, registration }: Placeholder): void {
    // The event loop forgets only what it finds registered.
    this.#epoll.add(registration);
    conn.close();
  }

  /** While they are asked for they are kept, then no more. */
  #checkDemand(): void {
    this.#checking = this.#demand;
    this.#demand = false;
    if (this.#checking) return void setTimeout(() => this.#checkDemand(), IDLE).unref();
    this.#size = READY_FIRST;
    for (const placeholder of this.#ready.splice(0)) this.drop(placeholder);
  }

  #fill(): Promise<void> {
    return this.#filling ??= this.#make().finally(() => this.#filling = undefined);
  }

  async #make(): Promise<void> {
    // Those who ask in this turn are counted in.
    await undefined;
    const now = performance.now();
    if (this.#waiting > 0 || now < this.#since + SOON) {
      this.#size = Math.min(2 * this.#size, READY_MAX);
    }
    this.#since = now;
    const count = Math.min(this.#size + this.#waiting - this.#ready.length, BATCH);
    this.#ready.push(...await this.#batch(Math.max(count, 1)));
  }

  async #batch(count: number): Promise<Placeholder[]> {
    const place = `portico-${crypto.randomUUID()}`;
    const raw: number[] = [];
    const conns = new Map<string, Deno.UnixConn>();
    try {
      using listener = Deno.listen({ transport: "unix", path: `\0${place}` });
      const target = encode(new Address("unix", "", 0, `@${place}`), AF_UNIX)!;
      for (let i = 0; i < count; i++) {
        const fd = this.#libc.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK_CLOEXEC, 0);
        if (fd < 0) break;
        raw.push(fd);
        const own = encode(new Address("unix", "", 0, `@${place}-${i}`), AF_UNIX)!;
        if (this.#libc.bind(fd, sockaddrOf(own), own.size) < 0) throw new Error("bind");
        if (this.#libc.connect(fd, sockaddrOf(target), target.size) < 0) throw new Error("connect");
        const conn = await listener.accept();
        // A stranger's may have no name at all; it is found out below.
        const { path } = conn.remoteAddr as { path: string | null };
        conns.set(`@${path?.slice(1)}`, conn);
      }
      return await this.#register(conns, `@${place}-`);
    } catch (error) {
      for (const conn of conns.values()) conn.close();
      throw error;
    } finally {
      // Not before they are out of the event loop's sight: it would never forget that the peer has gone.
      for (const fd of raw) this.#libc.close(fd);
    }
  }

  /** Finds their descriptors, and takes these out of the event loop. */
  async #register(conns: Map<string, Deno.UnixConn>, prefix: string): Promise<Placeholder[]> {
    const placeholders: Placeholder[] = [];
    const found = new Map<number, string>();
    const listed = await this.#epoll.list((fd) => {
      const size = this.#libc.getpeername(fd, name);
      if (size < prefix.length || name[0] !== AF_UNIX || name[1] !== 0) return false;
      const { path } = readStreamName(name, size);
      if (!path.startsWith(prefix)) return false;
      found.set(fd, path);
      return true;
    });
    for (const registration of listed) {
      const conn = conns.get(found.get(registration.fd)!);
      if (conn !== undefined) placeholders.push({ conn, registration });
    }
    // With one that is not among them, a stranger's or none at all, nothing here is as expected.
    if (placeholders.length === 0 || placeholders.length < conns.size) {
      throw new Error("unknown connections");
    }
    for (const { registration } of placeholders) this.#epoll.remove(registration);
    return placeholders;
  }
}
