/** `match` of a manifest, as types: those of `match-schema.ts`. */
import type { Duration } from "../core/units.ts";

/** Whom peers are for, by what they say first; the first route that one can be is its own. */
export type ManifestMatch = ManifestRoute[] | {
  routes: ManifestRoute[];
  /** How long a peer may take to say enough; then it goes to `otherwise`, or is refused. `3s` when silent. */
  wait?: Duration | undefined;
};

/** `{ when, service }`, or `{ otherwise }` as the last one. */
export interface ManifestRoute {
  /** What a peer says first. */
  when?: "tls" | "http" | "ssh" | ManifestCondition | undefined;
  /** The service that those are for. */
  service?: string | undefined;
  /** The service for all who are left, and for those who say nothing in time. */
  otherwise?: string | undefined;
  /** The service speaks TLS with them from the first byte on; when silent where `when` is `tls`, and the service has `tls`. */
  tls?: boolean | undefined;
}

/** One of these; each list is of alternatives. */
export interface ManifestCondition {
  /** Of TLS: `*.example.org` is every name with one label more; a client offers one of the protocols. */
  tls?: { sni?: string | string[] | undefined; alpn?: string | string[] | undefined } | undefined;
  /** What a peer begins with, as text. */
  prefix?: string | string[] | undefined;
  /** The same as bytes in hexadecimal: `16 03 01`. */
  hex?: string | string[] | undefined;
  /** A module that exports `match`, a `Matcher`. */
  plugin?: string | undefined;
}
