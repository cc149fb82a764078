/** When a log file is put aside, what it is called then, and what becomes of it. */
import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { messageOf } from "../../core/errors.ts";

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
 * What a file is called that was put aside at `time`: `app.log.20261121-160727.123`, in UTC. Such a
 * name never changes again, other than numbers: there is nothing to rename that may just be compressed,
 * or read by somebody, and nothing to go wrong when the process dies in the middle.
 */
export function archiveName(path: string, time: number): string {
  for (let at = time;; at++) {
    const [date, clock] = new Date(at).toISOString().slice(0, -1).split("T");
    const name = `${path}.${date!.replaceAll("-", "")}-${clock!.replaceAll(":", "")}`;
    if (!existsSync(name) && !existsSync(`${name}${PACKED}`)) return name;
  }
}

const PACKED = ".gz";
const PART = ".gz.part";
const ENDING = /\.\d{8}-\d{6}\.\d{3}(|\.gz|\.gz\.part)$/;

/** The files of one log that were put aside. */
export class Archive {
  readonly #path: string;
  readonly #rotation: Rotation;
  readonly #warn: (message: string) => void;
  #work: Promise<void> = Promise.resolve();
  #waits = false;

  constructor(path: string, rotation: Rotation, warn: (message: string) => void) {
    this.#path = path;
    this.#rotation = rotation;
    this.#warn = warn;
  }

  /**
   * Removes what is too old, and compresses all but the latest, beside the event loop: also what a process that
   * has died left behind. One round at a time; a further call while one waits is that one.
   */
  tend(): void {
    if (this.#waits) return;
    this.#waits = true;
    this.#work = this.#work.then(async () => {
      this.#waits = false;
      try {
        await this.#tend();
      } catch (error) {
        this.#warn(`cannot tidy up the log files of ${this.#path}: ${messageOf(error)}`);
      }
    });
  }

  /** Resolves when there is nothing to do. */
  idle(): Promise<void> {
    return this.#work;
  }

  async #tend(): Promise<void> {
    const folder = dirname(this.#path);
    const base = basename(this.#path);
    const names = (await readdir(folder)).filter((name) =>
      name.startsWith(base) && ENDING.exec(name)?.index === base.length
    );
    const files = Map.groupBy(names, (name) => name.replace(/\.gz(?:\.part)?$/, ""));
    const stems = [...files.keys()].sort();
    const old = stems.slice(0, Math.max(0, stems.length - this.#rotation.keep));
    for (const name of names) {
      const stem = name.replace(/\.gz(?:\.part)?$/, "");
      if (old.includes(stem) || name.endsWith(PART)) await rm(join(folder, name), { force: true });
    }
    if (!this.#rotation.gzip) return;
    // Another server that has the file open, as a predecessor, may not have noticed yet: the last one waits.
    for (const stem of stems.slice(0, -1)) {
      if (!old.includes(stem) && files.get(stem)!.includes(stem)) await pack(join(folder, stem));
    }
  }
}

/** Whatever happens in the middle, either the file or its compressed form is there, and whole. */
async function pack(path: string): Promise<void> {
  const part = `${path}${PART}`;
  const { mode } = await stat(path);
  await pipeline(createReadStream(path), createGzip(), createWriteStream(part, { mode }));
  await rename(part, `${path}${PACKED}`);
  await rm(path);
}
