/** Programs that inherit what they are given and no more, with posix_spawn(3) and pidfd_open(2). */
import { EventEmitter } from "node:events";
import type { Child, Program, Spawn } from "../../runtime/core/process.ts";
import { spawn as spawnByNode } from "../node/spawn.ts";
import type { Libc, ReadWatch } from "../posix/libc.ts";
import { PosixSpawn, type Started } from "./posix-spawn.ts";

/** Bytes of one read, and how many of them before others have their turn. */
const chunk = new Uint8Array(new ArrayBuffer(64 * 1024));
const READS = 16;

/** The best way there is here: where libc lacks a part of it, Deno's own. */
export function spawnWith(libc: Libc): Spawn {
  let calls: PosixSpawn | undefined | null = null;
  return (program) => {
    if (calls === null) calls = PosixSpawn.open();
    if (calls === undefined) return spawnByNode(program);
    return start(libc, calls, program);
  };
}

function start(libc: Libc, calls: PosixSpawn, program: Program): Child {
  // What goes through FFI asks for no permission of this kind.
  const { state } = Deno.permissions.querySync({ name: "run", command: program.path });
  if (state !== "granted") {
    throw new Deno.errors.NotCapable(`--allow-run=${program.path} is missing`);
  }
  const started = calls.start(program);
  try {
    return new PosixChild(libc, calls, started);
  } catch (error) {
    calls.undo(started.pid);
    calls.close(started.pidfd);
    if (started.stderr >= 0) calls.close(started.stderr);
    throw error;
  }
}

class PosixChild extends EventEmitter implements Child {
  readonly pid: number;
  readonly stderr: Pipe | null;
  #ended = false;

  constructor(libc: Libc, calls: PosixSpawn, { pid, pidfd, stderr }: Started) {
    super();
    this.pid = pid;
    const watch = libc.watch(pidfd, () => {
      const status = calls.ended(pid);
      if (status === undefined) return watch.rearm();
      watch.close();
      calls.close(pidfd);
      this.#ended = true;
      // Where others have taken its record, all that is known is that it has ended.
      this.emit("exit", status?.code ?? null, status === null ? "unknown" : status.signal);
      this.#close();
    });
    try {
      this.stderr = stderr < 0 ? null : new Pipe(libc, calls, stderr);
    } catch (error) {
      watch.close();
      throw error;
    }
    this.stderr?.once("close", () => this.#close());
  }

  #close(): void {
    if (this.#ended && (this.stderr?.closed ?? true)) this.emit("close");
  }
}

/** The end of a pipe that is read. */
class Pipe extends EventEmitter {
  closed = false;
  readonly #calls: PosixSpawn;
  readonly #fd: number;
  readonly #watch: ReadWatch;

  constructor(libc: Libc, calls: PosixSpawn, fd: number) {
    super();
    this.#calls = calls;
    this.#fd = fd;
    this.#watch = libc.watch(fd, () => this.#read());
  }

  destroy(): void {
    if (this.closed) return;
    this.closed = true;
    this.#watch.close();
    this.#calls.close(this.#fd);
    this.emit("close");
  }

  #read(): void {
    for (let reads = 0; reads < READS && !this.closed; reads++) {
      const count = this.#calls.read(this.#fd, chunk);
      if (count < 0) break;
      if (count > 0) this.emit("data", chunk.slice(0, count));
      else {
        this.emit("end");
        this.destroy();
      }
    }
    if (!this.closed) this.#watch.rearm();
  }
}
