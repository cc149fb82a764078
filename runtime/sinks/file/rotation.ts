/** When a log file is put aside, what it is called then, and what becomes of it. */
import {
  closeSync,
  createReadStream,
  createWriteStream,
  existsSync,
  openSync,
  renameSync,
  rmSync,
} from "node:fs";
import { readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout } from "node:timers";
import { createGzip } from "node:zlib";
import { messageOf } from "../../core/errors.ts";
import { make } from "./owner.ts";

/** A manifest's `rotate`. */
export interface Rotation {
  /** Bytes that no file exceeds, but for one line that is longer. */
  readonly size?: number | undefined;
  /** Milliseconds; periods begin at the local midnight. */
  readonly every?: number | undefined;
  /** How many files that were put aside are kept. */
  readonly keep: number;
  readonly gzip: boolean;
}

/** Which period a time is in: they are counted, from a local midnight on. */
export function periodOf(time: number, every: number): number {
  const offset = new Date(time).getTimezoneOffset() * 60_000;
  return Math.floor((time - offset) / every);
}

/**
 * What a file is called that is put aside at `time`: `app.log.20261121-160727.123`, in UTC. Such a
 * name never changes again, other than numbers: there is nothing to rename that may just be compressed,
 * or read by somebody, and nothing to go wrong when the process dies in the middle.
 *
 * The name is taken, by an empty file: of several servers that put something aside, none gets it twice.
 */
export function archiveName(path: string, time: number): string {
  for (let at = time;; at++) {
    const [date, clock] = new Date(at).toISOString().slice(0, -1).split("T");
    const name = `${path}.${date!.replaceAll("-", "")}-${clock!.replaceAll(":", "")}`;
    if (!existsSync(`${name}${PACKED}`) && take(name)) return name;
  }
}

/** When a file of this name was put aside. */
function timeOf(name: string): number {
  const [date, clock] = name.slice(-STAMP).split("-") as [string, string];
  const day = date.replace(/(....)(..)(..)/, "$1-$2-$3");
  return Date.parse(`${day}T${clock.replace(/(..)(..)(.*)/, "$1:$2:$3")}Z`);
}

const STAMP = "20261121-160727.123".length;

/** Makes an empty file; false where there is one. */
function take(name: string): boolean {
  try {
    closeSync(openSync(name, "wx"));
    return true;
  } catch (error) {
    if (isCode(error, "EEXIST")) return false;
    throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException).code === code;
}

const PACKED = ".gz";
const PART = ".gz.part";
/** Milliseconds until a file that was put aside is compressed: other servers may not have noticed yet. */
const GRACE = 1000;
/** Milliseconds after which nobody is still compressing a file that does not grow. */
const STALE = 60_000;
const ENDING = /\.\d{8}-\d{6}\.\d{3}(|\.gz|\.gz\.part)$/;

/** The files of one log that were put aside. */
export class Archive {
  readonly #path: string;
  readonly #rotation: Rotation;
  readonly #warn: (message: string) => void;
  #work: Promise<void> = Promise.resolve();
  #waits = false;
  #later: NodeJS.Timeout | undefined = undefined;
  /** When the last file was put aside, by its name. */
  #last = 0;

  constructor(path: string, rotation: Rotation, warn: (message: string) => void) {
    this.#path = path;
    this.#rotation = rotation;
    this.#warn = warn;
  }

  /**
   * Puts the log aside; it may be that another server just has. Names follow each other, also where there are
   * several in a millisecond and the first of them have been removed again.
   */
  putAside(time: number): void {
    const name = archiveName(this.#path, Math.max(time, this.#last + 1));
    this.#last = timeOf(name);
    try {
      renameSync(this.#path, name);
    } catch (error) {
      rmSync(name, { force: true });
      if (!isCode(error, "ENOENT")) throw error;
    }
  }

  /**
   * Removes what is too old, and compresses all but the latest, beside the event loop: also what a process that
   * has died left behind. One round at a time; a further call while one waits is that one.
   *
   * @param grace for files that others may still write to.
   */
  tend(grace: number = GRACE): void {
    if (this.#waits) return;
    this.#waits = true;
    this.#work = this.#work.then(async () => {
      this.#waits = false;
      try {
        await this.#tend(grace);
      } catch (error) {
        this.#warn(`cannot tidy up the log files of ${this.#path}: ${messageOf(error)}`);
      }
    });
  }

  /**
   * Does what is left to do; what still has to wait is for whoever opens the log next.
   *
   * @param shared other servers write to it.
   */
  async close(shared: boolean): Promise<void> {
    await this.#work;
    if (!shared) this.tend(0);
    await this.#work;
    clearTimeout(this.#later);
  }

  async #tend(grace: number): Promise<void> {
    const folder = dirname(this.#path);
    const base = basename(this.#path);
    const names = (await readdir(folder)).filter((name) =>
      name.startsWith(base) && ENDING.exec(name)?.index === base.length
    );
    const files = Map.groupBy(names, (name) => name.replace(/\.gz(?:\.part)?$/, ""));
    const stems = [...files.keys()].sort();
    const old = stems.slice(0, Math.max(0, stems.length - this.#rotation.keep));
    const remove = (name: string): Promise<void> => rm(join(folder, name), { force: true });
    for (const name of names) {
      const stem = name.replace(/\.gz(?:\.part)?$/, "");
      const stale = name.endsWith(PART) && await isStale(join(folder, name));
      if (old.includes(stem) || stale) await remove(name);
    }
    if (!this.#rotation.gzip) return;
    for (const stem of stems.slice(0, -1)) {
      if (old.includes(stem) || !files.get(stem)!.includes(stem)) continue;
      if (grace > 0 && Date.now() - timeOf(stem) < grace) return this.#tendLater();
      await pack(join(folder, stem));
    }
  }

  #tendLater(): void {
    clearTimeout(this.#later);
    this.#later = setTimeout(() => this.tend(), GRACE);
    this.#later.unref();
  }
}

/** Whether a compressed form has been left half done. */
async function isStale(path: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(path)).mtimeMs > STALE;
  } catch {
    // It is done now.
    return false;
  }
}

/**
 * Whatever happens in the middle, either the file or its compressed form is there, and whole. What another
 * server compresses, or somebody still writes to, is left alone.
 */
async function pack(path: string): Promise<void> {
  const part = `${path}${PART}`;
  try {
    const { mode, size, uid, gid } = await stat(path);
    // What root compresses stays its owner's.
    const fd = make(part, mode, { uid, gid });
    if (fd === undefined) return;
    await pipeline(createReadStream(path), createGzip(), createWriteStream(part, { fd }));
    if ((await stat(path)).size !== size) return await rm(part);
    await rename(part, `${path}${PACKED}`);
    await rm(path);
  } catch (error) {
    await rm(part, { force: true });
    // Another server was faster.
    if (!isCode(error, "ENOENT")) throw error;
  }
}
