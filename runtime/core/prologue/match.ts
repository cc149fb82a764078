/** Tells protocols apart by what a peer says first. No I/O: bytes in, an answer out. */
import { readClientHello } from "./client-hello.ts";

/**
 * Whether a peer speaks a protocol, by all that it has said so far, which may be nothing; undefined: more of it
 * has to come. It is asked again with what was there before and what has come since. The bytes are lent until it
 * returns.
 */
export type Matcher = (bytes: Uint8Array) => boolean | undefined;

/** What a TLS client asks for. Each list is of alternatives; what is absent is asked of nobody. */
export interface TlsWish {
  /** Names of servers, in any case; `*.example.org` is every name with one label more. */
  readonly sni?: readonly string[];
  /** Protocols, one of which the client has to offer. */
  readonly alpn?: readonly string[];
}

/** Methods by which a request of HTTP/1 begins: RFC 9110, 5789, 4918, 3253, 5323, and PRI of HTTP/2. */
const METHODS = [
  "GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH PRI QUERY",
  "PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK REPORT SEARCH MKCALENDAR",
].join(" ").split(" ").map((method) => matchPrefix(new TextEncoder().encode(`${method} `)));

/** By the first bytes as they are. */
export function matchPrefix(prefix: Uint8Array): Matcher {
  return (bytes) => {
    const length = Math.min(bytes.length, prefix.length);
    for (let at = 0; at < length; at++) if (bytes[at] !== prefix[at]) return false;
    return length === prefix.length ? true : undefined;
  };
}

/** HTTP/1 and, in clear, HTTP/2. */
export const matchHttp: Matcher = matchAny(METHODS);

/** RFC 4253, 4.2. */
export const matchSsh: Matcher = matchPrefix(new TextEncoder().encode("SSH-"));

/** One of several. */
export function matchAny(matchers: readonly Matcher[]): Matcher {
  return (bytes) => {
    let open = false;
    for (const matches of matchers) {
      const answer = matches(bytes);
      if (answer === true) return true;
      if (answer === undefined) open = true;
    }
    return open ? undefined : false;
  };
}

/** TLS, be it of any kind, or of a client that wishes one of these. */
export function matchTls({ sni, alpn }: TlsWish = {}): Matcher {
  const names = sni?.map(matchName);
  return (bytes) => {
    if (bytes.length === 0) return undefined;
    const hello = readClientHello(bytes);
    if (hello === "more") return undefined;
    if (hello === "none") return false;
    const { serverName = "" } = hello;
    if (names !== undefined && !names.some((matches) => matches(serverName))) return false;
    return alpn === undefined || alpn.some((protocol) => hello.alpn.includes(protocol));
  };
}

/** Whether a name is `pattern`, or one label below that of `*.example.org`. Names come in lower case. */
export function matchName(pattern: string): (name: string) => boolean {
  const wanted = pattern.toLowerCase();
  if (!wanted.startsWith("*.")) return (name) => name === wanted;
  const domain = wanted.slice(1);
  return (name) =>
    name.length > domain.length && name.endsWith(domain) &&
    name.indexOf(".") === name.length - domain.length;
}

/**
 * Which of several a peer wants, the first that it can be: `undecided` while more has to come, -1 when it is none of
 * them.
 *
 * @param all nothing more comes: whatever is open is none.
 */
export function firstMatch(
  matchers: readonly Matcher[],
  bytes: Uint8Array,
  all: boolean = false,
): number | "undecided" {
  for (let index = 0; index < matchers.length; index++) {
    const answer = matchers[index]!(bytes);
    if (answer === true) return index;
    if (answer === undefined && !all) return "undecided";
  }
  return -1;
}
