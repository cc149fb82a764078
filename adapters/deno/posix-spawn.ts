/**
 * posix_spawn(3) through `Deno.dlopen`. Deno's own ways to start a program duplicate a descriptor that
 * is given for stdio, and let the program inherit the duplicate beside it; and so may any other
 * program that another thread starts at that moment.
 */
import { constants } from "node:os";
import { callFailure } from "../errno.ts";
import type { Program } from "../../runtime/core/process.ts";
import { LIBC_FILES } from "../posix/libc.ts";
import { errnoName, F_SETFL, O_NONBLOCK, WNOHANG } from "../posix/linux.ts";
import { openFirst } from "../posix/syscalls.ts";

const SETSIGDEF = 0x04;
const SETSIGMASK = 0x08;
const SETSID = 0x80;
const O_CLOEXEC = 0o2000000;
const O_WRONLY = 1;
/** The same on x86-64 and arm64, and the name is not in every libc. */
const SYS_PIDFD_OPEN = 434n;
/** Bytes of structures of glibc and musl on LP64 (336, 80 and 128), with room. */
const STRUCT_BYTES = 512;
const SHELL = "/bin/sh";

const int = (...parameters: Deno.NativeType[]): Deno.ForeignFunction => ({
  parameters,
  result: "i32",
});

const SYMBOLS = {
  posix_spawn: int("buffer", "buffer", "buffer", "buffer", "buffer", "buffer"),
  posix_spawnattr_init: int("buffer"),
  posix_spawnattr_setflags: int("buffer", "i16"),
  posix_spawnattr_setsigdefault: int("buffer", "buffer"),
  posix_spawnattr_setsigmask: int("buffer", "buffer"),
  posix_spawn_file_actions_init: int("buffer"),
  posix_spawn_file_actions_destroy: int("buffer"),
  posix_spawn_file_actions_adddup2: int("buffer", "i32", "i32"),
  posix_spawn_file_actions_addopen: int("buffer", "i32", "buffer", "i32", "u32"),
  posix_spawn_file_actions_addchdir_np: int("buffer", "buffer"),
  // Since glibc 2.34. It closes what came to this process without close-on-exec; nothing of ours is so.
  posix_spawn_file_actions_addclosefrom_np: { ...int("buffer", "i32"), optional: true },
  pipe2: int("buffer", "i32"),
  fcntl: int("i32", "i32", "i32"),
  read: int("i32", "buffer", "usize"),
  close: int("i32"),
  waitpid: int("i32", "buffer", "i32"),
  syscall: int("i64", "i32", "u32"),
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

type Calls = {
  readonly [Name in keyof typeof SYMBOLS]: (
    ...values: (Memory | number | bigint | null)[]
  ) => number;
};
type Memory = Uint8Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

/** How a process has ended; wait(2). */
export interface Status {
  readonly code: number | null;
  readonly signal: string | null;
}

/** What was started: who it is, and the end of the pipe that is its standard error. */
export interface Started {
  readonly pid: number;
  /** pidfd_open(2): it is readable when the process has ended. Close-on-exec, and the caller's to close. */
  readonly pidfd: number;
  /** Non-blocking, close-on-exec, and the caller's to close; -1 when there is none. */
  readonly stderr: number;
}

export class PosixSpawn {
  readonly #c: Calls;
  readonly #attributes: Memory = struct();
  readonly #errno: Int32Array;
  readonly #word: Int32Array<ArrayBuffer> = new Int32Array(new ArrayBuffer(4));

  private constructor(c: Calls) {
    this.#c = c;
    const at = (c.__errno_location as unknown as () => Deno.PointerObject)();
    this.#errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(at, 4));
    const signals = struct();
    c.posix_spawnattr_init(this.#attributes);
    // None is blocked, and none is ignored, as Deno ignores SIGPIPE.
    c.posix_spawnattr_setsigmask(this.#attributes, signals);
    c.posix_spawnattr_setsigdefault(this.#attributes, signals.fill(0xff));
    c.posix_spawnattr_setflags(this.#attributes, SETSID | SETSIGMASK | SETSIGDEF);
  }

  /** Undefined where this libc or kernel lacks a part of it: before glibc 2.29 or Linux 5.3. */
  static open(): PosixSpawn | undefined {
    let made: PosixSpawn;
    try {
      const open = (file: string) => Deno.dlopen(file, SYMBOLS).symbols as unknown as Calls;
      made = new PosixSpawn(openFirst(LIBC_FILES, open));
    } catch {
      return undefined;
    }
    const pidfd = made.#c.syscall(SYS_PIDFD_OPEN, Deno.pid, 0);
    if (pidfd < 0) return undefined;
    made.close(pidfd);
    return made;
  }

  /** @throws PorticoError ENOENT, EACCES, EMFILE …: nothing was started then. */
  start(program: Program): Started {
    const pipe = program.stderr === "pipe" ? this.#pipe() : undefined;
    let pid: number | undefined;
    try {
      pid = this.#spawn(program, pipe?.[1]);
      return { pid, pidfd: this.#pidfd(pid), stderr: pipe?.[0] ?? -1 };
    } catch (error) {
      if (pipe !== undefined) this.close(pipe[0]);
      if (pid !== undefined) this.undo(pid);
      throw error;
    } finally {
      if (pipe !== undefined) this.close(pipe[1]);
    }
  }

  /** How it has ended; undefined while it has not, null when somebody else has taken the record of it. */
  ended(pid: number): Status | undefined | null {
    const found = this.#c.waitpid(pid, this.#word, WNOHANG);
    if (found === 0) return undefined;
    if (found < 0) return null;
    const status = this.#word[0]!;
    const number = status & 0x7f;
    if (number === 0) return { code: (status >> 8) & 0xff, signal: null };
    const named = Object.entries(constants.signals).find(([, value]) => value === number);
    return { code: null, signal: named?.[0] ?? `SIG${number}` };
  }

  /** Ends what has just been started, as nobody could hear of its end. It is gone when this returns. */
  undo(pid: number): void {
    Deno.kill(pid, "SIGKILL");
    this.#c.waitpid(pid, this.#word, 0);
  }

  /** How many bytes there were; 0 at the end, negative when there is nothing now. */
  read(fd: number, bytes: Uint8Array<ArrayBuffer>): number {
    return this.#c.read(fd, bytes, BigInt(bytes.length));
  }

  close(fd: number): void {
    this.#c.close(fd);
  }

  #pipe(): readonly [number, number] {
    const made = new Int32Array(new ArrayBuffer(8));
    if (this.#c.pipe2(made, O_CLOEXEC) < 0) {
      throw callFailure("no pipe can be made", this.#errno[0]!);
    }
    this.#c.fcntl(made[0]!, F_SETFL, O_NONBLOCK);
    return [made[0]!, made[1]!];
  }

  #pidfd(pid: number): number {
    const fd = this.#c.syscall(SYS_PIDFD_OPEN, pid, 0);
    if (fd < 0) throw callFailure("a program cannot be waited for", this.#errno[0]!);
    return fd;
  }

  #spawn({ path, args, cwd, env, fd, stderr }: Program, pipe: number | undefined): number {
    const c = this.#c;
    const actions = struct();
    const variables = strings(Object.entries(env).map(([name, value]) => `${name}=${value}`));
    const attempt = (file: string, words: readonly string[]): number =>
      c.posix_spawn(
        this.#word,
        text(file),
        actions,
        this.#attributes,
        strings(words),
        variables,
      );
    let code = c.posix_spawn_file_actions_init(actions);
    if (code !== 0) throw callFailure("a program cannot be started", code);
    const and = (next: number): void => void (code ||= next);
    try {
      and(c.posix_spawn_file_actions_addchdir_np(actions, text(cwd)));
      and(c.posix_spawn_file_actions_adddup2(actions, fd, 0));
      and(c.posix_spawn_file_actions_adddup2(actions, fd, 1));
      if (stderr === "ignore") {
        and(c.posix_spawn_file_actions_addopen(actions, 2, text("/dev/null"), O_WRONLY, 0));
      } else and(c.posix_spawn_file_actions_adddup2(actions, pipe ?? fd, 2));
      if (c.posix_spawn_file_actions_addclosefrom_np !== null) {
        and(c.posix_spawn_file_actions_addclosefrom_np(actions, 3));
      }
      if (code === 0) code = attempt(path, [path, ...args]);
      // A script without #!, as execvp(3) takes it.
      if (errnoName(code) === "ENOEXEC") code = attempt(SHELL, [SHELL, path, ...args]);
      if (code !== 0) throw callFailure(path, code);
      return this.#word[0]!;
    } finally {
      c.posix_spawn_file_actions_destroy(actions);
    }
  }
}

function struct(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(STRUCT_BYTES));
}

/** @throws TypeError for what C would cut. */
function text(value: string): Uint8Array<ArrayBuffer> {
  if (value.includes("\0")) throw new TypeError(`${JSON.stringify(value)} has a NUL in it`);
  return new TextEncoder().encode(`${value}\0`);
}

/** A vector of C strings with its end, and behind it in the same memory the strings. */
function strings(values: readonly string[]): Uint8Array<ArrayBuffer> {
  const encoded = values.map(text);
  const begin = 8 * (values.length + 1);
  const memory = new ArrayBuffer(encoded.reduce((sum, { length }) => sum + length, begin));
  const bytes = new Uint8Array(memory);
  const pointers = new BigUint64Array(memory, 0, values.length);
  const base = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
  let at = begin;
  for (const [index, each] of encoded.entries()) {
    bytes.set(each, at);
    pointers[index] = base + BigInt(at);
    at += each.length;
  }
  return bytes;
}
