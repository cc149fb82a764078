/**
 * libc through koffi, an optional dependency, for Node 24 and for a Node whose own FFI is switched
 * off. Its poll handles are `uv_poll` on the runtime's own event loop, and end with a worker's.
 */
import { closeSync, openSync } from "node:fs";
import { createRequire } from "node:module";
import { isMainThread } from "node:worker_threads";
import {
  AF_UNIX,
  F_DUPFD_CLOEXEC,
  ITIMER_VIRTUAL,
  MEMORY,
  MEMORY_NAME,
  NEWBORN,
  POLLIN,
  SOCK_CLOEXEC,
  SOCK_STREAM,
} from "./linux.ts";
import type { Libc } from "./libc.ts";

type Koffi = typeof import("koffi");

export function open(): Libc {
  const koffi = createRequire(import.meta.url)("koffi") as Koffi;
  const lib = koffi.load(null);
  const declare = (name: string, parameters: string[]): (...values: unknown[]) => number =>
    lib.func(name, "int", parameters) as unknown as (...values: unknown[]) => number;
  const socket = declare("socket", ["int", "int", "int"]);
  const bind = declare("bind", ["int", "void *", "uint32_t"]);
  const listen = declare("listen", ["int", "int"]);
  const connect = declare("connect", ["int", "void *", "uint32_t"]);
  const accept4 = declare("accept4", ["int", "void *", "void *", "int"]);
  const socketpair = declare("socketpair", ["int", "int", "int", "void *"]);
  const getpeername = declare("getpeername", ["int", "void *", "void *"]);
  const getsockname = declare("getsockname", ["int", "void *", "void *"]);
  const getsockopt = declare("getsockopt", ["int", "int", "int", "void *", "void *"]);
  const setsockopt = declare("setsockopt", ["int", "int", "int", "void *", "uint32_t"]);
  const fchmod = declare("fchmod", ["int", "uint32_t"]);
  const dup3 = declare("dup3", ["int", "int", "int"]);
  const fcntl = declare("fcntl", ["int", "int", "int"]);
  const poll = declare("poll", ["void *", "uint64_t", "int"]);
  const setgroups = declare("setgroups", ["uint64_t", "void *"]);
  const setitimer = declare("setitimer", ["int", "void *", "void *"]);
  const memfdCreate = declare("memfd_create", ["void *", "uint32_t"]);
  const write = declare("write", ["int", "void *", "uint64_t"]);
  const closeDescriptor = declare("close", ["int"]);
  const recvmmsg = declare("recvmmsg", ["int", "void *", "uint32_t", "int", "void *"]);
  const sendmmsg = declare("sendmmsg", ["int", "void *", "uint32_t", "int"]);
  const entrusted = new Set<number>();
  const asked = new Int32Array(new ArrayBuffer(8));
  const length = new Uint32Array(new ArrayBuffer(4));
  const result = (value: number): number => value < 0 ? -koffi.errno() : value;

  return {
    socket(domain, type, protocol) {
      const fd = result(socket(domain, type, protocol));
      return fd < 0 ? fd : entrust(fd);
    },
    bind: (fd, address, size) => result(bind(fd, address, size)),
    listen: (fd, backlog) => result(listen(fd, backlog)),
    connect: (fd, address, size) => result(connect(fd, address, size)),
    accept(fd, address, size) {
      size[0] = address.byteLength;
      return result(accept4(fd, address, size, NEWBORN));
    },
    pair() {
      const made = new Int32Array(new ArrayBuffer(8));
      const code = result(socketpair(AF_UNIX, SOCK_STREAM | NEWBORN, 0, made));
      return code < 0 ? [code, code] : [made[0]!, made[1]!];
    },
    peerName(fd, address) {
      length[0] = address.byteLength;
      const code = result(getpeername(fd, address, length));
      return code < 0 ? code : length[0]!;
    },
    name(fd, address) {
      length[0] = address.byteLength;
      const code = result(getsockname(fd, address, length));
      return code < 0 ? code : length[0]!;
    },
    getOption(fd, level, option, value) {
      length[0] = value.byteLength;
      const code = result(getsockopt(fd, level, option, value, length));
      return code < 0 ? code : length[0]!;
    },
    setOption: (fd, level, option, value) =>
      result(setsockopt(fd, level, option, value, value.byteLength)),
    duplicate: (fd, target, flags) => result(dup3(fd, target, flags)),
    permit: (fd, mode) => result(fchmod(fd, mode)),
    dup: (fd) => result(fcntl(fd, F_DUPFD_CLOEXEC, 0)),
    control: (fd, command, argument) => result(fcntl(fd, command, argument)),
    entrust,
    wait(fd) {
      asked.set([fd, POLLIN]);
      return result(poll(asked, 1, -1));
    },
    setGroups: (groups) => result(setgroups(groups.length, groups)),
    setTimer: (value) => result(setitimer(ITIMER_VIRTUAL, value, null)),
    memory: () => result(memfdCreate(MEMORY_NAME, MEMORY)),
    write: (fd, bytes) => result(write(fd, bytes, bytes.length)),
    close(fd) {
      // Node warns of what it closes and never opened.
      if (!entrusted.delete(fd)) return result(closeDescriptor(fd));
      closeSync(fd);
      return 0;
    },
    receiveMany: (fd, vector, count, flags) => result(recvmmsg(fd, vector, count, flags, null)),
    sendMany: (fd, vector, count, flags) => result(sendmmsg(fd, vector, count, flags)),
    address: (memory) => Number(koffi.address(memory)),
    pointer: (address) => BigInt(address),
    watch(fd, readable) {
      const handle = koffi.node.poll(fd, readable);
      let held = false;
      return {
        threaded: false,
        rearm() {
          if (held) handle.start(readable);
          held = false;
        },
        hold() {
          held = true;
          handle.stop();
        },
        close: () => void handle.close(),
      };
    },
  };

  /** Node closes what `fs.open` opened when a worker ends, and nothing else. */
  function entrust(fd: number): number {
    if (isMainThread) return fd;
    const target = openSync("/dev/null", "r");
    const code = result(dup3(fd, target, SOCK_CLOEXEC));
    closeDescriptor(fd);
    if (code < 0) closeSync(target);
    else entrusted.add(code);
    return code;
  }
}
