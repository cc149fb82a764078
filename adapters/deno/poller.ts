/**
 * The epoll(7) that a thread of Deno waits with. Deno does not show it, the kernel does: its file in
 * /proc/self/fdinfo names every descriptor with the number ("data") by which the event loop knows it.
 * A descriptor that has come to mean another socket can so be registered again under its old number.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";
import process from "node:process";
import type { Address } from "../../runtime/core/endpoint.ts";
import { type Libc, LIBC_FILES } from "../posix/libc.ts";
import { NAME_BYTES, readStreamName } from "../posix/peer.ts";

const SYMBOLS = {
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
} as const;

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
  readonly #symbols: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
  readonly #event = new DataView(new ArrayBuffer(16));
  #fd = -1;

  /** @throws Error when libc cannot be opened. */
  constructor(libc: Libc) {
    this.#libc = libc;
    this.#symbols = openFirst();
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

  /** @throws Error when the kernel refuses. */
  add({ fd, events, data }: Registration): void {
    this.#event.setUint32(0, events, true);
    this.#event.setBigUint64(DATA_OFFSET, data, true);
    if (this.#symbols.epoll_ctl(this.#fd, ADD, fd, this.#event) < 0) {
      throw new Error(`descriptor ${fd} cannot be registered`);
    }
  }

  remove({ fd }: Registration): void {
    this.#symbols.epoll_ctl(this.#fd, DELETE, fd, this.#event);
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
