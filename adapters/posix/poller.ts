/**
 * The epoll(7) that a thread of a runtime waits with. Nobody shows it but the kernel: its file in
 * /proc/self/fdinfo names every descriptor with the number ("data") by which the event loop knows it.
 * A descriptor that has come to mean another socket can so be registered again under its old number.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";
import process from "node:process";
import type { Address } from "../../runtime/core/endpoint.ts";
import type { Libc } from "./libc.ts";
import { SOCK_CLOEXEC } from "./linux.ts";
import { NAME_BYTES, readStreamName } from "./peer.ts";
import { settle } from "./socket.ts";

/** epoll_ctl(2); less than 0 when the kernel refuses. */
export type EpollControl = (
  epoll: number,
  operation: number,
  fd: number,
  event: Uint8Array<ArrayBuffer>,
) => number;

const ADD = 1;
const DELETE = 2;
/** `struct epoll_event` is packed on x86-64 alone. */
const DATA_OFFSET = process.arch === "x64" ? 4 : 8;

/** How a descriptor is registered. */
export interface Registration {
  readonly fd: number;
  readonly events: number;
  readonly data: bigint;
}

const name = new Uint8Array(new ArrayBuffer(NAME_BYTES));

export class Poller {
  readonly #libc: Libc;
  readonly #control: EpollControl;
  readonly #bytes = new Uint8Array(new ArrayBuffer(16));
  readonly #event = new DataView(this.#bytes.buffer);
  #fd = -1;

  constructor(libc: Libc, control: EpollControl) {
    this.#libc = libc;
    this.#control = control;
  }

  /**
   * Of all that this thread waits for, what `wanted` says yes to. Something has to be found the first
   * time: that is how this thread's epoll is told from those of others.
   */
  async list(wanted: (fd: number) => boolean): Promise<Registration[]> {
    if (this.#fd >= 0) {
      // It may take the kernel some milliseconds to list thousands.
      return registrations(await readFile(`/proc/self/fdinfo/${this.#fd}`, "utf8"), wanted);
    }
    for (const fd of readdirSync("/proc/self/fd")) {
      if (!isPoller(fd)) continue;
      const found = registrations(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"), wanted);
      if (found.length === 0) continue;
      this.#fd = Number(fd);
      return found;
    }
    return [];
  }

  /** The listener of this thread that is bound to an address, by the kernel's name for it. */
  async listener(address: Address): Promise<Registration | undefined> {
    const [found] = await this.list((fd) => {
      const size = this.#libc.name(fd, name);
      if (size <= 2) return false;
      const { host, path, port } = readStreamName(name, size);
      return host === address.host && port === address.port && path === address.path &&
        this.#libc.peerName(fd, name) < 0;
    });
    return found;
  }

  /**
   * Has a listener that this thread has just bound to `address` listen on the socket `fd` instead.
   *
   * @returns its descriptor.
   * @throws Error when that cannot be done. `fd` is the caller's still.
   */
  async graft(address: Address, fd: number): Promise<number> {
    const registration = await this.listener(address);
    if (registration === undefined) throw new Error("the listener cannot be found");
    this.replace(registration.fd, fd);
    this.add(registration);
    this.#libc.close(fd);
    return registration.fd;
  }

  /** How this thread waits for a descriptor; undefined when it does not. */
  async find(fd: number): Promise<Registration | undefined> {
    const [found] = await this.list((each) => each === fd);
    return found;
  }

  /** Has this thread not wait for a descriptor any more. False when it never has. */
  async forget(fd: number): Promise<boolean> {
    const found = await this.find(fd);
    if (found !== undefined) this.remove(found);
    return found !== undefined;
  }

  /** Puts another socket under a descriptor that is registered. @throws Error. */
  replace(target: number, fd: number): void {
    settle(this.#libc, fd);
    const code = this.#libc.duplicate(fd, target, SOCK_CLOEXEC);
    if (code < 0) throw new Error(`descriptor ${fd} cannot be duplicated`);
  }

  /** @throws Error when the kernel refuses. */
  add({ fd, events, data }: Registration): void {
    this.#event.setUint32(0, events, true);
    this.#event.setBigUint64(DATA_OFFSET, data, true);
    if (this.#control(this.#fd, ADD, fd, this.#bytes) < 0) {
      throw new Error(`descriptor ${fd} cannot be registered`);
    }
  }

  remove({ fd }: Registration): void {
    this.#control(this.#fd, DELETE, fd, this.#bytes);
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

function isPoller(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === "anon_inode:[eventpoll]";
  } catch {
    // Closed since, as the one that listed the folder.
    return false;
  }
}
