/** One log file that is written to: how large it may become, and what happens when it is gone. */
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  openSync,
  readSync,
  type Stats,
  statSync,
} from "node:fs";
import { type Code, codeOf, messageOf, PorticoError } from "../../core/errors.ts";
import { nextPipeWrite } from "../pipe.ts";
import type { Destination } from "../writer.ts";
import { follow } from "./link.ts";
import { type FileOwner, givesAway, make, mayWrite } from "./owner.ts";
import { Archive, periodOf, type Rotation } from "./rotation.ts";

/** What a file is opened with. */
export interface LogFileInput {
  readonly path: string;
  /** Of a file that is made; 0640 less the umask when silent. */
  readonly mode?: number | undefined;
  readonly rotate?: Rotation | undefined;
  /** Whose a file is that root makes; root's own when silent. */
  readonly owner?: FileOwner | undefined;
  /** Bytes from which on a warning is written, once; and from which on nothing is. */
  readonly warnSize?: number | undefined;
  readonly maxSize?: number | undefined;
  /** A line of the log, from the log itself. */
  readonly say: (message: string) => Uint8Array;
  /** For the operator. */
  readonly warn: (message: string) => void;
}

const LF = 10;
/** Milliseconds that records may wait for others: a write costs as much as many of them. */
const PATIENCE = 50;
/** Milliseconds between looks at whether the file is still there. */
const LOOK = 100;
/** Milliseconds until a rotation that failed is tried again. */
const RETRY = 60_000;

export class LogFile implements Destination {
  readonly patience = PATIENCE;
  readonly #input: LogFileInput;
  readonly #archive: Archive | undefined;
  #descriptor = -1;
  #regular = false;
  /** A pipe, which has no size. */
  #pipe = false;
  #size = 0;
  /** Other processes write to it as well. */
  #shared = false;
  #period = 0;
  #looked = 0;
  /** No rotation is tried before this time: the last one has failed. */
  #retryAt = 0;
  #warned = false;
  /** `maxSize` is reached. */
  #full = false;
  /** Its last line has no end: a process has died in the middle of it. */
  #torn = false;
  /** Records that `maxSize` has kept out. */
  dropped = 0;

  /** @throws PorticoError ENOENT, EACCES … */
  constructor(input: LogFileInput) {
    this.#input = { ...input, path: this.#locate(input.path) };
    const { path, rotate, warn } = this.#input;
    this.#open();
    if (rotate === undefined || !this.#regular) return;
    this.#archive = new Archive(path, rotate, warn);
    this.#archive.tend();
  }

  get descriptor(): number {
    return this.#descriptor;
  }

  /** Whether a record would be written now, as far as `maxSize` goes. */
  get takes(): boolean {
    return !this.#full || this.#due(Date.now(), 0);
  }

  admit(bytes: Uint8Array): { readonly bytes: Uint8Array; readonly taken: number } {
    if (this.#pipe) return nextPipeWrite(bytes);
    const now = Date.now();
    if (this.#regular && now - this.#looked >= LOOK) this.#look(now);
    if (this.#due(now, lineAt(bytes))) this.#rotate(now);
    let taken = this.#share(bytes, this.#limit(now));
    const { warnSize = Infinity, maxSize = Infinity, say, warn, path } = this.#input;
    const warns = !this.#warned && this.#size + taken > warnSize;
    if (warns) taken = this.#share(bytes.subarray(0, taken), warnSize);
    let out = bytes.subarray(0, taken);
    if (this.#full || this.#size + taken > maxSize) {
      out = this.#full ? out.subarray(0, 0) : out.subarray(0, within(out, maxSize - this.#size));
      this.dropped += count(bytes.subarray(out.length));
      taken = bytes.length;
      if (!this.#full) {
        const text = `${path} has reached its maxSize: nothing more is written to it`;
        warn(text);
        out = joined(out, say(text));
      }
      this.#full = true;
    } else if (warns) {
      this.#warned = true;
      out = joined(out, say(`${path} has reached its warnSize`));
    }
    if (this.#torn) out = joined(Uint8Array.of(LF), out);
    this.#torn = false;
    this.#size += out.length;
    return { bytes: out, taken };
  }

  /** Where others write to the file as well, its size says nothing. */
  taken(left: number): number {
    if (!this.#regular || this.#shared) return 0;
    const taken = fstatSync(this.#descriptor).size - (this.#size - left);
    return taken > 0 && taken <= left ? taken : 0;
  }

  troubled(reason: string): void {
    const { path, warn } = this.#input;
    warn(`cannot write to ${path}: ${reason}; it is tried again`);
  }

  /** To be called when nothing is written any more. */
  close(): void {
    if (this.#descriptor >= 0) closeSync(this.#descriptor);
    this.#descriptor = -1;
  }

  /** Resolves when what was put aside is compressed. */
  async settled(): Promise<void> {
    await this.#archive?.close(this.#shared);
  }

  #locate(path: string): string {
    try {
      return follow(path);
    } catch (error) {
      throw failure(path, error);
    }
  }

  #open(): void {
    try {
      this.#begin(this.#make());
    } catch (error) {
      throw failure(this.#input.path, error);
    }
  }

  /**
   * `mode` is that of a file which is made here, whatever the umask. A named pipe is opened for reading as
   * well, as syslogd does: so it is there without a reader, and after one has left.
   */
  #make(): number {
    const { path, mode, owner, warn } = this.#input;
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats?.isFIFO()) return openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    const made = stats === undefined ? make(path, mode ?? 0o640, owner) : undefined;
    if (made !== undefined) {
      if (mode !== undefined) fchmodSync(made, mode);
      return made;
    }
    if (stats?.isFile() && givesAway(owner) && !mayWrite(stats, owner)) {
      warn(
        `${path} belongs to user ${stats.uid}: user ${owner.uid}, whom the server becomes, will not be able to open it again; chown it`,
      );
    }
    return openSync(path, "a", 0o640);
  }

  #begin(descriptor: number): void {
    const { path, rotate } = this.#input;
    const stats = fstatSync(descriptor);
    this.close();
    this.#descriptor = descriptor;
    this.#regular = stats.isFile();
    this.#pipe = stats.isFIFO();
    this.#size = this.#regular ? stats.size : 0;
    this.#torn = this.#size > 0 && lastByte(path, stats) !== LF;
    this.#warned = this.#full = false;
    if (rotate?.every === undefined) return;
    this.#period = periodOf(this.#size > 0 ? stats.mtimeMs : Date.now(), rotate.every);
  }

  /** What others have written counts, or cut off. A file that has been removed, alone or with its folder, is made anew as soon as that is possible. */
  #look(now: number): void {
    const { nlink, size } = fstatSync(this.#descriptor);
    const { path, rotate, warn } = this.#input;
    if (nlink === 0 || (rotate !== undefined && !this.#isHere())) {
      // Another server may have put it aside, as a successor does, and compressed it.
      const removed = nlink === 0 && (rotate === undefined || !existsSync(path));
      this.#open();
      if (removed) warn(`${path} was removed; it was made anew`);
    } else {
      this.#shared ||= size > this.#size;
      this.#size = size;
    }
    this.#looked = now;
  }

  #limit(now: number): number {
    return now < this.#retryAt || !this.#regular ? Infinity : this.#input.rotate?.size ?? Infinity;
  }

  #due(now: number, next: number): boolean {
    const { rotate } = this.#input;
    if (rotate === undefined || this.#size === 0 || now < this.#retryAt || !this.#regular) {
      return false;
    }
    const { size = Infinity, every } = rotate;
    return this.#size + next > size || (every !== undefined && periodOf(now, every) > this.#period);
  }

  #rotate(now: number): void {
    const { path, warn } = this.#input;
    try {
      if (this.#isHere()) this.#archive?.putAside(now);
    } catch (error) {
      this.#retryAt = now + RETRY;
      return warn(`cannot rotate ${path}: ${messageOf(error)}; it grows`);
    }
    this.#shared ||= fstatSync(this.#descriptor).size > this.#size;
    this.#open();
    this.#archive?.tend();
  }

  #isHere(): boolean {
    const there = statSync(this.#input.path, { throwIfNoEntry: false });
    const { dev, ino } = fstatSync(this.#descriptor);
    return there?.ino === ino && there.dev === dev;
  }

  /** So many bytes of whole lines that the limit is kept; one line at least. */
  #share(bytes: Uint8Array, limit: number): number {
    if (this.#size + bytes.length <= limit) return bytes.length;
    return within(bytes, limit - this.#size) || lineAt(bytes);
  }
}

function failure(path: string, cause: unknown): PorticoError {
  const code: Code = codeOf(cause) ?? "SINK_FAILED";
  const text = `Cannot open ${path} as a log file: ${messageOf(cause)}`;
  return new PorticoError(code, text, { cause, side: "config" });
}

/** The length of the whole lines that fit into `room`. */
function within(bytes: Uint8Array, room: number): number {
  if (bytes.length <= room) return bytes.length;
  return room <= 0 ? 0 : bytes.lastIndexOf(LF, room - 1) + 1;
}

/** The length of the first line. */
function lineAt(bytes: Uint8Array): number {
  return bytes.indexOf(LF) + 1 || bytes.length;
}

function count(bytes: Uint8Array): number {
  let lines = 0;
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) lines++;
  return lines;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

/** The last byte of a file; a LF where it may not be read, or is not there any more. */
function lastByte(path: string, { size, ino }: Stats): number {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch {
    return LF;
  }
  try {
    if (fstatSync(descriptor).ino !== ino) return LF;
    const byte = new Uint8Array(1);
    return readSync(descriptor, byte, 0, 1, size - 1) === 1 ? byte[0]! : LF;
  } finally {
    closeSync(descriptor);
  }
}
