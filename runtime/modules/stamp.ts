import { dirname, relative } from "node:path";
import { digest } from "../values/digest.ts";
import { fileOf, graphOf, type ModuleGraph, realOf } from "./graph.ts";

/** What a module consists of. */
export interface Stamp {
  /** The same as long as none of the files has changed, appeared or gone; also at another place. */
  readonly stamp: string;
  /** Absolute, the entry first, by the path that was given; also those that are imported and not there. */
  readonly files: readonly string[];
}

/**
 * Tells whether a module has changed, and which files to watch for it: its own, and what it imports,
 * as {@link graphOf} follows it.
 *
 * @param url of the entry. One that is no file: URL is its own stamp, without files.
 */
export function stampOf(url: string): Stamp {
  if (!url.startsWith("file:")) return { stamp: url, files: [] };
  const graph = graphOf(url);
  return { stamp: stampIn(graph, fileOf(url)), files: [...graph.keys()] };
}

/** The stamp of one file of a graph, with what it imports. */
export function stampIn(graph: ModuleGraph, entry: string): string {
  // Where all of them lie is no difference.
  const home = dirname(realOf(entry));
  const lines = [...reachable(graph, entry)].map((file) => {
    const { content } = graph.get(file)!;
    return `${file === entry ? "" : relative(home, file)} ${content}`;
  });
  return digest(lines.toSorted().join("\n"));
}

function reachable(graph: ModuleGraph, entry: string): ReadonlySet<string> {
  const found = new Set<string>();
  const waiting = [entry];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    waiting.push(...graph.get(file)!.imports);
  }
  return found;
}
