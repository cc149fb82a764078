/** What is told of an address that cannot be listened on. */
import { PorticoError } from "../core/errors.ts";
import { textOf } from "../core/frames.ts";
import { listenPath } from "../manifest/listen.ts";
import type { Source } from "../manifest/source.ts";
import { describeHolder, type Holder, holderOf } from "../probe/holder.ts";
import { ListenError } from "../services/contract.ts";
import { formatPath } from "../values/problem.ts";

/** The same error with its place in the manifest, and with who has the address. */
export function inManifest(error: unknown, source: Source): unknown {
  if (!(error instanceof ListenError)) return error;
  const { code, message, cause, side, hint, listen } = error;
  const path = listenPath(listen);
  const holder = code === "EADDRINUSE" ? who(error) : undefined;
  const text = [
    message,
    holder === undefined ? "" : `: ${describeHolder(holder)} listens there`,
    path === undefined ? "" : ` (${formatPath(path)})`,
  ].join("");
  const place = path === undefined ? undefined : source.locate(path, "value");
  const at = place === undefined || !("line" in place) ? undefined : textOf({
    path: place.file ?? source.file,
    line: String(place.line),
    column: String(place.column),
  });
  return new PorticoError(code, text, { cause, side, hint, at });
}

/** Where that can be read. */
function who({ listen }: ListenError): Holder | undefined {
  try {
    return holderOf(listen.endpoint);
  } catch {
    return undefined;
  }
}
