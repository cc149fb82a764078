import { expectVersions, isReadAnew, type Versions } from "../modules/anew.ts";
import { fileOf, graphOf, type ModuleGraph, realOf } from "../modules/graph.ts";
import type { VersionOf } from "../modules/import.ts";
import { stampIn } from "../modules/stamp.ts";

/** Tells code that has changed since it was imported from code that has not. */
export class ModuleVersions {
  /** The stamps of files as they were imported first, with what they import; by real path. */
  readonly #first: Map<string, string> = new Map();
  /** What packages and Portico itself were when they were imported; by path. */
  readonly #kept: Map<string, string> = new Map();

  /** Remembers what was imported. To be called soon after it was: then nothing has changed meanwhile. */
  note(urls: readonly string[]): void {
    for (const url of urls) this.#versionsIn(graphOf(url));
  }

  /** See {@link VersionOf}. What the module imports is read in its own versions then. */
  readonly of: VersionOf = (url) => {
    const graph = graphOf(url);
    if (graph.size === 0) return undefined;
    const versions = this.#versionsIn(graph);
    expectVersions(graph, versions);
    return versions.get(realOf(fileOf(url)));
  };

  #versionsIn(graph: ModuleGraph): Versions {
    const versions = new Map<string, string | undefined>();
    for (const [file, { content }] of graph) {
      if (!isReadAnew(graph, file)) {
        if (!this.#kept.has(file)) this.#kept.set(file, content);
        continue;
      }
      const path = realOf(file);
      const stamp = stampIn(graph, file);
      const first = this.#first.get(path) ?? stamp;
      this.#first.set(path, first);
      versions.set(path, stamp === first ? undefined : stamp);
    }
    return versions;
  }

  /**
   * Files that have changed, and which this process goes on with as they were: they belong to packages, which
   * may be in use by others.
   */
  changedAndKept(urls: readonly string[]): string[] {
    const changed = urls.flatMap((url) => [...graphOf(url)])
      .filter(([file, { content }]) => (this.#kept.get(file) ?? content) !== content)
      .map(([file]) => file);
    return [...new Set(changed)];
  }
}
