/** What `match` of a manifest comes to: part of a service's plan. */

/** Who is told apart by what is said first, and whom each of them comes to. */
export interface MatchPlan {
  /** The first that it can be is the one. */
  readonly routes: readonly MatchRoute[];
  /** How long a peer may take to say enough, in ms; then whatever is open counts as no. */
  readonly wait: number;
  /**
   * All whom it leads to serve streams or HTTP in its own thread, and need no descriptor for it: the runtime may read
   * before it is known who is told of it. Known once their plugins are there.
   */
  readonly holds?: HoldsPlan;
}

/** What that rests on beside. */
export interface HoldsPlan {
  /** None of them asks who the peers of Unix sockets are. */
  readonly unix: boolean;
  /** Some of them serve HTTP. */
  readonly http: boolean;
}

/** One way from a service with `match` to another one. */
export interface MatchRoute {
  readonly when: MatchCondition;
  /** The same in words, for a status: `tls sni=*.example.org`. */
  readonly text: string;
  /** The service that it leads to. */
  readonly service: string;
  /** That service speaks TLS from the first byte on; else it gets what comes as it is. */
  readonly tls: boolean;
}

/** What somebody says first. Lists are of alternatives. */
export type MatchCondition =
  | { readonly kind: "tls"; readonly sni?: readonly string[]; readonly alpn?: readonly string[] }
  | { readonly kind: "http" | "ssh" | "otherwise" }
  /** Bytes in hexadecimal. */
  | { readonly kind: "prefix"; readonly prefixes: readonly string[] }
  /** A module that exports `match`. */
  | { readonly kind: "plugin"; readonly specifier: string; readonly url: string };

/** The modules of a service beside its plugin: what it tells peers apart by. */
export function matcherUrls({ match }: { readonly match?: MatchPlan }): string[] {
  const urls = match?.routes.flatMap(({ when }) => when.kind === "plugin" ? [when.url] : []);
  return [...new Set(urls)];
}
