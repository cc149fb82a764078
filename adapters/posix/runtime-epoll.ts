/**
 * The epoll(7) that a thread of a runtime waits with. Nobody shows it but the kernel: its file in
 * /proc/self/fdinfo names every descriptor with the number ("data") by which the event loop knows it.
 * A descriptor that has come to mean another socket can so be registered again under its old number.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Address } from "../../runtime/core/endpoint.ts";
import type { Libc } from "./libc.ts";
import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_EVENT_DATA, SOCK_CLOEXEC } from "./linux.ts";
import { NAME_BYTES, readStreamName } from "./sockaddr.ts";
import { makeNonBlocking } from "./socket.ts";

/** How a descriptor is registered. */
export interface Registration {
  readonly fd: number;
  readonly events: number;
  readonly data: bigint;
}

const name = new Uint8Array(new ArrayBuffer(NAME_BYTES));

export class RuntimeEpoll {
  readonly libc: Libc;
  readonly #bytes = new Uint8Array(new ArrayBuffer(16));
  readonly #event = new DataView(this.#bytes.buffer);
  #fd = -1;

  /** @param libc of Bun or Deno, which have {@link Libc.epollCtl}. */
  constructor(libc: Libc) {
    this.libc = libc;
  }

  /**
   * Of all that this thread waits for, what `wanted` says yes to. Something has to be found the first
   * time: that is how this thread's epoll is told from those of others.
   */
  async list(wanted: (fd: number) => boolean): Promise<Registration[]> {
    if (this.#fd < 0) return this.#listNow(wanted);
    // It may take the kernel some milliseconds to list thousands.
    return registrations(await readFile(`/proc/self/fdinfo/${this.#fd}`, "utf8"), wanted);
  }

  #listNow(wanted: (fd: number) => boolean): Registration[] {
    if (this.#fd >= 0) {
      return registrations(readFileSync(`/proc/self/fdinfo/${this.#fd}`, "utf8"), wanted);
    }
    for (const fd of readdirSync("/proc/self/fd")) {
      if (!isEpoll(fd)) continue;
      const found = registrations(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"), wanted);
      if (found.length === 0) continue;
      this.#fd = Number(fd);
      return found;
    }
    return [];
  }

  /**
   * The listener of this thread that is bound to an address, by the kernel's name for it. It is found at
   * once: nothing has been accepted meanwhile by one that was bound in this turn.
   */
  findListener(address: Address): Registration | undefined {
    return this.#listNow((fd) => {
      const size = this.libc.getsockname(fd, name);
      if (size <= 2) return false;
      const { host, path, port } = readStreamName(name, size);
      return host === address.host && port === address.port && path === address.path &&
        this.libc.getpeername(fd, name) < 0;
    })[0];
  }

  /**
   * Has a listener that this thread has just bound to `address` listen on the socket `fd` instead.
   *
   * @returns how that is registered.
   * @throws Error when that cannot be done. `fd` is the caller's still.
   */
  swapListener(address: Address, fd: number): Registration {
    const registration = this.findListener(address);
    if (registration === undefined) throw new Error("the listener cannot be found");
    this.swap(registration.fd, fd);
    this.add(registration);
    this.libc.close(fd);
    return registration;
  }

  /** How this thread waits for a descriptor; undefined when it does not. */
  find(fd: number): Registration | undefined {
    return this.#listNow((each) => each === fd)[0];
  }

  /** This thread waits for a descriptor no more. False when it never has. */
  unregister(fd: number): boolean {
    const found = this.find(fd);
    if (found !== undefined) this.remove(found);
    return found !== undefined;
  }

  /** Puts another socket under a descriptor that is registered. @throws Error. */
  swap(target: number, fd: number): void {
    makeNonBlocking(this.libc, fd);
    const code = this.libc.dup3(fd, target, SOCK_CLOEXEC);
    if (code < 0) throw new Error(`descriptor ${fd} cannot be duplicated`);
  }

  /** @throws Error when the kernel refuses. */
  add({ fd, events, data }: Registration): void {
    this.#event.setUint32(0, events, true);
    this.#event.setBigUint64(4 * EPOLL_EVENT_DATA, data, true);
    if (this.libc.epollCtl!(this.#fd, EPOLL_CTL_ADD, fd, this.#bytes) < 0) {
      throw new Error(`descriptor ${fd} cannot be registered`);
    }
  }

  remove({ fd }: Pick<Registration, "fd">): void {
    this.libc.epollCtl!(this.#fd, EPOLL_CTL_DEL, fd, this.#bytes);
  }
}

/** The lines of `proc(5)`: `tfd: 9 events: 8000201d data: 7f3a…`, numbers in hexadecimal. */
function registrations(listed: string, wanted: (fd: number) => boolean): Registration[] {
  const found: Registration[] = [];
  for (const line of listed.matchAll(/^tfd:\s*(\d+) events:\s*(\w+) data:\s*(\w+)/gm)) {
    const fd = Number(line[1]);
    if (!wanted(fd)) continue;
    found.push({ fd, events: Number.parseInt(line[2]!, 16), data: BigInt(`0x${line[3]}`) });
  }
  return found;
}

function isEpoll(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === "anon_inode:[eventpoll]";
  } catch {
    // Closed since, as the one that listed the folder.
    return false;
  }
}
