/** Where in its own code a plugin has failed, as the stack of its error tells on every runtime. */

/** Portico's own folders: what lies there is not the plugin's, who only called it. */
const OWN: readonly string[] = ["../", "../../adapters/"].map((folder) =>
  pathOf(new URL(folder, import.meta.url).href)
);

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
  return found === undefined ? undefined : `${found.path}:${found.line}:${found.column}`;
}

/** The places of an error's stack, from the innermost, without those of Portico and of the runtime. */
export function placesOf(error: unknown): Place[] {
  try {
    if (!(error instanceof Error)) return [];
    return framesOf(error).flatMap((frame) => {
      const [, place, line, column] = FRAME.exec(frame) ?? [];
      if (place === undefined) return [];
      const path = pathOf(place);
      const own = OWN.some((folder) => path.startsWith(folder));
      return own ? [] : [{ path, line: line!, column: column! }];
    });
  } catch {
    // A plugin's error may be anything.
    return [];
  }
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
