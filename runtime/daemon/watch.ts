import {
  type FSWatcher,
  lstatSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
  watch,
} from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import { clearTimeout, setTimeout } from "node:timers";
import { digest } from "../values/digest.ts";

/** Files that have not changed for so long, in ms, are taken to be complete. */
const QUIET = 100;

/** Files above so many bytes are told apart by their times alone. */
const READ_MAX = 1024 * 1024;

/** By file: what tells one content from another, or that there is none. */
type States = Map<string, string>;

/**
 * Calls back when any of the files has changed, appeared or gone, once they have come to rest. It is
 * their folders that are watched, as editors and deployments put new files in the place of old ones;
 * folders may come and go too. Nothing is looked at while nothing happens in them.
 *
 * @param files absolute; asked anew whenever something has happened.
 * @param changed what it returns is waited for before the files are asked again.
 * @returns ends it. Until then it keeps the process alive where watchers cannot be unref'ed (Deno).
 */
export function watchFiles(
  files: () => readonly string[],
  changed: () => void | Promise<void>,
): () => void {
  const folders = new Folders(later);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended = false;
  /** As they were when `changed` was called last, and when they were looked at last. */
  let told = look();
  let seen = told;

  function look(): States {
    const list = files();
    folders.watch(list);
    return new Map(list.map((file) => [file, stateOf(file)]));
  }

  /** Not put off by further events: a log beside the manifest may never rest. */
  function later(): void {
    if (ended || timer !== undefined) return;
    timer = setTimeout(() => void settle(), QUIET);
    timer.unref();
  }

  async function settle(): Promise<void> {
    const now = look();
    const rests = isSame(now, seen);
    seen = now;
    if (rests && !isSame(now, told)) {
      told = now;
      await changed();
      if (ended) return;
      seen = look();
      // What has changed meanwhile is still to be told; what was not watched before is not.
      told = new Map([...seen].map(([file, state]) => [file, told.get(file) ?? state]));
    }
    timer = undefined;
    if (!isSame(seen, told)) later();
  }

  return () => {
    ended = true;
    clearTimeout(timer);
    folders.watch([]);
  };
}

/** Whether the files that are in both are as they were. */
function isSame(now: States, before: States): boolean {
  return [...now].every(([file, state]) => (before.get(file) ?? state) === state);
}

function stateOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return "none";
  // An inode may be used again, and a file may bring its time along: mv(1), rsync(1).
  const { dev, ino, size, mtimeMs, ctimeMs } = stat;
  return `${dev}:${ino}:${size}:${mtimeMs}:${ctimeMs}:${
    stat.isFile() ? contentOf(file, size) : ""
  }`;
}

/** Deno knows no part of a second of `ctime`: what is written twice in one may look the same. */
function contentOf(file: string, size: number): string {
  try {
    return size > READ_MAX ? "" : digest(readFileSync(file, "latin1"));
  } catch {
    // It may not be read, or has gone.
    return "";
  }
}

/** Watches the folders of files, and the folders around these, of which only the names on the way matter. */
class Folders {
  readonly #heard: () => void;
  readonly #watchers = new Map<string, { watcher: FSWatcher; inode: string }>();
  /** By file: where it really was, when it was last there. */
  readonly #targets = new Map<string, string>();
  /** By folder: the names in it that lead to a file; undefined when all matter. */
  #names = new Map<string, Set<string> | undefined>();

  constructor(heard: () => void) {
    this.#heard = heard;
  }

  watch(files: readonly string[]): void {
    this.#names = new Map();
    for (const file of files) {
      this.#want(dirname(file));
      this.#want(dirname(this.#follow(file)));
      for (const link of linksOn(file)) this.#wantName(link);
    }
    for (const [path, { watcher, inode }] of this.#watchers) {
      if (this.#names.has(path) && inodeOf(path) === inode) continue;
      watcher.close();
      this.#watchers.delete(path);
    }
    for (const path of this.#names.keys()) this.#open(path);
  }

  /** Where links lead; while that is nowhere, where they last led: it may come back there. */
  #follow(file: string): string {
    let real = this.#targets.get(file) ?? file;
    try {
      real = realpathSync(file);
      this.#targets.set(file, real);
    } catch {
      // Nothing is there, at the moment.
    }
    return real;
  }

  #want(folder: string): void {
    this.#names.set(folder, undefined);
    // Upwards, as far as there is nothing: what appears there may be the folder.
    for (let path = folder;;) {
      this.#wantName(path);
      path = dirname(path);
      if (inodeOf(path) !== undefined || dirname(path) === path) return;
    }
  }

  #wantName(path: string): void {
    const folder = dirname(path);
    if (!this.#names.has(folder)) this.#names.set(folder, new Set());
    this.#names.get(folder)?.add(basename(path));
  }

  #open(path: string): void {
    const inode = inodeOf(path);
    if (inode === undefined || this.#watchers.has(path)) return;
    try {
      const watcher = watch(path, (_, name) => {
        const names = this.#names.get(path);
        if (names === undefined || name === null || names.has(name)) this.#heard();
      });
      watcher.unref();
      watcher.on("error", () => {
        // Gone in the meantime: the folder around it tells when it is back.
      });
      this.#watchers.set(path, { watcher, inode });
    } catch {
      // Likewise; or no watch is left (inotify(7), max_user_watches), and changes here go unseen.
    }
  }
}

function inodeOf(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isDirectory() ? `${stat.dev}:${stat.ino}` : undefined;
}

/** The links on the way to a file, each by its real folder: any of them may be led elsewhere. */
function linksOn(file: string): string[] {
  const links: string[] = [];
  const names = file.split(sep);
  let at: string = sep;
  for (
    let name = names.shift();
    name !== undefined && links.length < LINKS_MAX;
    name = names.shift()
  ) {
    const path = join(at, name);
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) {
      at = path;
      continue;
    }
    links.push(path);
    names.unshift(...resolve(at, readlinkSync(path)).split(sep));
    at = sep;
  }
  return links;
}

/** As path_resolution(7): more of them are a circle. */
const LINKS_MAX = 40;
