/** A folder with one certificate for each name, as deployments have it. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { codeOf, messageOf } from "../../core/errors.ts";
import type { TlsFiles } from "../../core/plan.ts";
import { invalid } from "./files.ts";

const RIGHT =
  "a folder with NAME.crt or NAME.pem and NAME.key, or with NAME/fullchain.pem and NAME/privkey.pem";

/**
 * The pairs in it, by their names:
 *
 * - `NAME.crt` or `NAME.pem` with `NAME.key` or `NAME-key.pem`, and `NAME.ocsp`;
 * - `NAME/fullchain.pem` with `NAME/privkey.pem`, and `NAME/ocsp.der`; in the folder itself, too.
 *
 * What has no key beside it is none of ours: an authority's, say.
 *
 * @throws PorticoError TLS_INVALID when it cannot be read. It may be empty.
 */
export function pairsIn(folder: string): TlsFiles[] {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch (error) {
    const code = codeOf(error) ?? (error as { code?: string }).code;
    throw invalid(folder, WORDS[code ?? ""] ?? messageOf(error), RIGHT);
  }
  const found: TlsFiles[] = [];
  const pair = (cert: string, keys: readonly string[], ocsp: string): void => {
    const key = keys.find(isFile);
    if (key === undefined || !isFile(cert)) return;
    found.push({ cert, key, ...(isFile(ocsp) && { ocsp }) });
  };
  const chain = (at: string): void =>
    pair(join(at, "fullchain.pem"), [join(at, "privkey.pem")], join(at, "ocsp.der"));
  chain(folder);
  for (const each of names) {
    // Of Kubernetes and of editors.
    if (each.startsWith(".")) continue;
    const path = join(folder, each);
    const name = /^(.+)\.(?:crt|pem)$/.exec(path)?.[1];
    if (each.endsWith(".pem") && names.includes(`${each.slice(0, -4)}.crt`)) continue;
    if (name !== undefined) pair(path, [`${name}.key`, `${name}-key.pem`], `${name}.ocsp`);
    else chain(path);
  }
  return found;
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "no such folder",
  ENOTDIR: "a file, and no folder",
  EACCES: "no permission to read it",
};

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** @throws PorticoError TLS_INVALID for a folder with nothing in it. */
export function emptyFolder(folder: string): never {
  throw invalid(folder, "no certificate with its key", RIGHT);
}
