/** Where in its own code a plugin has failed, as the stack of its error tells on every runtime. */

/** Portico's own folders: what lies there is not the plugin's, who only called it. */
const OWN: readonly string[] = ["../", "../../adapters/"].map((folder) =>
  pathOf(new URL(folder, import.meta.url).href)
);

/** Whether a file is one of Portico itself. */
export function isOwn(path: string): boolean {
  return OWN.some((folder) => path.startsWith(folder));
}

/**
 * `    at name (PLACE:LINE:COLUMN)`, with a query after the place where the module was read anew. In an
 * executable of Bun places start at the folder that it was made of; its `app/` is not Portico's.
 */
const FRAME =
  /^\s+at (?:.* \(|async )?((?:file:\/\/|https?:\/\/|\/|[A-Za-z]:\\|app\/).*?)(?:\?[^?]*)?:(\d+):(\d+)\)?$/;

/** A place in code; lines and columns count from 1. */
export interface Place {
  /** Absolute, or an http URL. */
  readonly path: string;
  readonly line: string;
  readonly column: string;
}

/** A place in a plugin's code, `/srv/app/server.ts:12:5`; undefined of what has no stack, as `throw 5`. */
export function placeOf(error: unknown): string | undefined {
  const places = placesOf(error);
  // The plugin's own line says more than one of a package that it uses.
  const found = places.find(({ path }) => !path.includes("/node_modules/")) ?? places[0];
  return found && textOf(found);
}

/** A place as text, `/srv/app/server.ts:12:5`; the column may be missing. */
export function textOf({ path, line, column }: Partial<Place> & { readonly path: string }): string {
  return [path, line, column].filter((part) => part !== undefined).join(":");
}

/** The same of a text: what is no place has neither line nor column. */
export function parsePlace(text: string): { file: string; line?: number; column?: number } {
  const [, file = text, line, column] = /^(.+?)(?::(\d+))?(?::(\d+))?$/.exec(text) ?? [];
  return {
    file,
    ...(line !== undefined && { line: Number(line) }),
    ...(column !== undefined && { column: Number(column) }),
  };
}

/** The places of an error's stack, from the innermost, without those of Portico and of the runtime. */
export function placesOf(error: unknown): Place[] {
  try {
    if (!(error instanceof Error)) return [];
    return placesIn(framesOf(error));
  } catch {
    // A plugin's error may be anything.
    return [];
  }
}

/** The places that lines of a stack name, likewise. */
export function placesIn(lines: readonly string[]): Place[] {
  return lines.flatMap((frame) => {
    const [, place, line, column] = FRAME.exec(frame) ?? [];
    if (place === undefined) return [];
    const path = pathOf(place);
    return isOwn(path) ? [] : [{ path, line: line!, column: column! }];
  });
}

/** Without the message, which may be a peer's words and look like anything. */
function framesOf(error: Error): string[] {
  const stack = String(error.stack ?? "");
  const message = String(error.message);
  const at = stack.indexOf(message);
  return stack.slice(at < 0 ? 0 : at + message.length, MOST).split("\n");
}

/** Characters of a stack that are looked at, behind the longest message that is. */
const MOST = 64 * 1024;

function pathOf(place: string): string {
  return place.startsWith("file://") ? decodeURIComponent(new URL(place).pathname) : place;
}
