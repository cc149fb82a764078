/** Which code was imported first, and what it is now. */
import type { VersionOf } from "../modules/import.ts";
import { stampOf } from "../modules/stamp.ts";

export class Versions {
  /** The stamps of modules as they were imported first, by URL. */
  readonly #first: Map<string, string> = new Map();

  /** Remembers what was imported. To be called soon after it was; then nothing has changed meanwhile. */
  note(urls: readonly string[]): void {
    for (const url of urls) {
      if (!this.#first.has(url)) this.#first.set(url, stampOf(url).stamp);
    }
  }

  /** See {@link VersionOf}. */
  readonly of: VersionOf = (url) => {
    const { stamp } = stampOf(url);
    const first = this.#first.get(url) ?? stamp;
    this.#first.set(url, first);
    return stamp === first ? undefined : stamp;
  };
}
