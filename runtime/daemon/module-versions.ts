import type { VersionOf } from "../modules/import.ts";
import { stampOf } from "../modules/stamp.ts";

/** Tells code that has changed since it was imported from code that has not. */
export class ModuleVersions {
  /** The stamps of modules as they were imported first, by URL. */
  readonly #first: Map<string, string> = new Map();

  /** Remembers what was imported. To be called soon after it was: then nothing has changed meanwhile. */
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
