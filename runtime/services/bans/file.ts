/** The file in which bans outlive the server. */
import { readFileSync, renameSync } from "node:fs";
import { open, rename, unlink } from "node:fs/promises";
import { clearTimeout, setTimeout } from "node:timers";
import process from "node:process";
import { codeOf, messageOf } from "../../core/errors.ts";
import type { Bans } from "./bans.ts";
import { bansFrom, storedBans } from "./stored.ts";

/** Milliseconds between two writes, and after one that has failed. */
const PERIOD = 1000;
const AGAIN = 10_000;

/** Tells of what goes wrong. */
export type Complain = (message: string) => void;

/** Keeps the bans of a table in a file: written whole, under another name first, at most once a second. */
export class BansFile {
  readonly #bans: Bans;
  readonly #file: string;
  readonly #complain: Complain;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #writing: Promise<void> | undefined = undefined;
  /** Something has changed since it was written. */
  #changed = false;
  #failed = false;
  /** It is somebody else's, or cannot be put aside: nothing is written. */
  #given = false;
  readonly #watcher = (): void => this.#soon();

  /** @param complain is told once of a file that cannot be written, until it can be again. */
  constructor(bans: Bans, file: string, complain: Complain) {
    this.#bans = bans;
    this.#file = file;
    this.#complain = complain;
  }

  /** Puts those in force that it has, and keeps it from here on. One that is damaged is put aside. */
  open(): void {
    let text: string | undefined;
    try {
      text = readFileSync(this.#file, "utf8");
    } catch (error) {
      if (codeOf(error) !== "ENOENT") this.#keepOff(messageOf(error));
    }
    if (text !== undefined) this.#read(text);
    this.#bans.watchers.add(this.#watcher);
  }

  #read(text: string): void {
    try {
      this.#bans.adopt(bansFrom(text));
    } catch (error) {
      const aside = `${this.#file}.damaged-${new Date().toISOString().replaceAll(":", "")}`;
      try {
        renameSync(this.#file, aside);
      } catch (failure) {
        return this.#keepOff(`${messageOf(error)}; it cannot be put aside: ${messageOf(failure)}`);
      }
      const why = messageOf(error);
      this.#complain(`the bans in ${this.#file} are not in force: ${why}; it is now ${aside}`);
    }
  }

  /** Nothing is written over what nobody could read. */
  #keepOff(why: string): void {
    this.#given = true;
    this.#complain(`bans are not kept in ${this.#file}: ${why}`);
  }

  #soon(): void {
    this.#changed = true;
    if (this.#given || this.#timer !== undefined || this.#writing !== undefined) return;
    this.#timer = setTimeout(() => void this.flush(), this.#failed ? AGAIN : PERIOD);
  }

  /** Writes what has changed. Never rejects. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#writing;
    if (!this.#changed || this.#given) return;
    this.#changed = false;
    this.#writing = this.#write().then(() => {
      this.#failed = false;
    }, (error) => {
      if (!this.#failed) {
        this.#complain(`bans cannot be written to ${this.#file}: ${messageOf(error)}`);
      }
      this.#failed = this.#changed = true;
    });
    await this.#writing;
    this.#writing = undefined;
    if (this.#changed) this.#soon();
  }

  async #write(): Promise<void> {
    const name = `${this.#file}.${process.pid}.new`;
    const file = await open(name, "w", 0o600);
    try {
      await file.writeFile(storedBans(this.#bans.list()));
      await file.sync();
      await file.close();
      await rename(name, this.#file);
    } catch (error) {
      await file.close().catch(() => {});
      await unlink(name).catch(() => {});
      throw error;
    }
  }

  /** Writes what is left, unless a successor has it. */
  async close(): Promise<void> {
    this.#bans.watchers.delete(this.#watcher);
    await this.flush();
    clearTimeout(this.#timer);
    this.#given = true;
  }

  /** A successor keeps it from here on. */
  give(): void {
    this.#given = true;
    clearTimeout(this.#timer);
  }
}
