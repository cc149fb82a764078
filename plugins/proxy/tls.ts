/** What a proxy says to targets that speak TLS. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import * as v from "valibot";
import type { TlsClient } from "../../runtime/mod.ts";
import { described } from "../units.ts";

/** What a manifest says of it; files are of PEM, from its folder on. */
export interface ProxyTls {
  /** Authorities that are trusted in the place of the runtime's own. */
  readonly ca?: string | undefined;
  /** Who we are, where a target asks. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Whose certificate a target has to show; its host when silent. */
  readonly serverName?: string | undefined;
  readonly alpn?: string[] | undefined;
}

const FILE = "the path of a file of PEM";
const file = v.pipe(v.string(FILE), v.regex(/^[^\0]+$/, FILE));
const PAIR = '"cert" and "key", both or none';

export const tls: v.GenericSchema<ProxyTls> = v.pipe(
  v.strictObject({
    ca: v.optional(
      described(file, "authorities that are trusted in the place of the runtime's own"),
    ),
    cert: v.optional(described(file, "who we are, where a target asks; with key")),
    key: v.optional(described(file, "the private key of cert")),
    serverName: v.optional(described(
      v.pipe(v.string("a name"), v.nonEmpty("a name")),
      "whose certificate a target has to show; its host when silent",
    )),
    alpn: v.optional(described(
      v.array(v.pipe(v.string("a protocol"), v.nonEmpty("a protocol"))),
      "protocols that are offered, the best liked first",
    )),
  }),
  v.check(({ cert, key }) => (cert === undefined) === (key === undefined), PAIR),
);

/** Reads its files, once. @throws what the system says of one that cannot be read. */
export function clientOf(
  { ca, cert, key, serverName, alpn }: ProxyTls,
  folder: string,
): TlsClient {
  const read = (path: string): string => readFileSync(resolve(folder, path), "utf8");
  return {
    ...(ca !== undefined && { ca: read(ca) }),
    ...(cert !== undefined && { cert: read(cert) }),
    ...(key !== undefined && { key: read(key) }),
    ...(serverName !== undefined && { serverName }),
    ...(alpn !== undefined && { alpn }),
  };
}
