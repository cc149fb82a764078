/**
 * libc through koffi, an optional dependency, for Node 24 and for a Node whose own FFI is switched
 * off. Its poll handles are `uv_poll` on the runtime's own event loop, and end with a worker's.
 */
import { closeSync, openSync } from "node:fs";
import { createRequire } from "node:module";
import { isMainThread } from "node:worker_threads";
import { SOCK_CLOEXEC } from "./linux.ts";
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
  const getsockname = declare("getsockname", ["int", "void *", "void *"]);
  const getsockopt = declare("getsockopt", ["int", "int", "int", "void *", "void *"]);
  const setsockopt = declare("setsockopt", ["int", "int", "int", "void *", "uint32_t"]);
  const fchmod = declare("fchmod", ["int", "uint32_t"]);
  const dup3 = declare("dup3", ["int", "int", "int"]);
  const closeDescriptor = declare("close", ["int"]);
  const recvmmsg = declare("recvmmsg", ["int", "void *", "uint32_t", "int", "void *"]);
  const sendmmsg = declare("sendmmsg", ["int", "void *", "uint32_t", "int"]);
  const length = new Uint32Array(new ArrayBuffer(4));
  const result = (value: number): number => value < 0 ? -koffi.errno() : value;

  return {
    socket(domain, type, protocol) {
      const fd = result(socket(domain, type, protocol));
      return fd < 0 || isMainThread ? fd : entrust(fd);
    },
    bind: (fd, address, size) => result(bind(fd, address, size)),
    listen: (fd, backlog) => result(listen(fd, backlog)),
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
    close(fd) {
      if (isMainThread) return result(closeDescriptor(fd));
      closeSync(fd);
      return 0;
    },
    receiveMany: (fd, vector, count, flags) => result(recvmmsg(fd, vector, count, flags, null)),
    sendMany: (fd, vector, count, flags) => result(sendmmsg(fd, vector, count, flags)),
    address: (memory) => Number(koffi.address(memory)),
    pointer: (address) => BigInt(address),
    watch(fd, readable) {
      const handle = koffi.node.poll(fd, readable);
      return { rearm() {}, close: () => void handle.close() };
    },
  };

  /** Node closes what `fs.open` opened when a worker ends, and nothing else. */
  function entrust(fd: number): number {
    const target = openSync("/dev/null", "r");
    const code = result(dup3(fd, target, SOCK_CLOEXEC));
    closeDescriptor(fd);
    if (code < 0) closeSync(target);
    return code;
  }
}
