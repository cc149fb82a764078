/** How bytes travel. `tls` and the HTTP transports are parsed, and refused until an adapter offers them. */
export type Transport =
  | "tcp"
  | "tls"
  | "udp"
  | "unix"
  | "unixgram"
  | "http"
  | "https"
  | "http+unix";

/** A place to listen that is given by host and port. Port 0 asks the kernel for a free one. */
export interface InternetEndpoint {
  readonly transport: "tcp" | "tls" | "udp" | "http" | "https";
  /** An address without brackets, a name, or `*` for every address of the machine (IPv6 and IPv4). */
  readonly host: string;
  readonly port: number;
}

/** A place to listen in the file system, or in Linux's abstract namespace when `path` begins with `@`. */
export interface UnixEndpoint {
  readonly transport: "unix" | "unixgram" | "http+unix";
  readonly path: string;
}

/** A socket that somebody else opened: a descriptor, systemd's name for one, or inetd's descriptor 0. */
export interface InheritedEndpoint {
  readonly transport: "fd" | "systemd" | "stdio";
  /** The number, the name, or nothing. */
  readonly name: string;
}

/** What a client of TLS brings along, and whom it trusts. Certificates and keys are PEM. */
export interface TlsClient {
  /** The authorities that are trusted in the place of the runtime's own. */
  readonly ca?: string;
  /** Who we are, where the server asks; with {@link key}. */
  readonly cert?: string;
  readonly key?: string;
  /** The name that the server's certificate has to have, and that it is told (SNI); the endpoint's host when silent. */
  readonly serverName?: string;
  /** Application protocols in the order of our liking, RFC 7301; {@link TlsInfo.alpn} says which it is. */
  readonly alpn?: readonly string[];
  /** False takes any certificate: whoever is in between can read along. */
  readonly rejectUnauthorized?: boolean;
}

/** Where a service listens, as the manifest says it. */
export type Endpoint = InternetEndpoint | UnixEndpoint | InheritedEndpoint;

/** Looks a service name up, as getservbyname(3) does: `("daytime", "udp")` gives 13, or undefined. */
export type PortLookup = (name: string, protocol: "tcp" | "udp") => number | undefined;

/** The longest path that fits `sun_path` of unix(7) with its closing NUL, in bytes. */
export const UNIX_PATH_MAX = 107;

const INTERNET = /^(tcp|tls|udp|https?):\/\/(.*)$/s;
const LOCAL = /^(unix|unixgram|http\+unix):(.*)$/s;
const INHERITED = /^(fd|systemd|stdio):(.*)$/s;
/** What getaddrinfo(3) takes for the end of a name, or would never find. */
const NO_HOST = /[\0-\x20\x7f]/;
const FORMS =
  "tcp://HOST:PORT, tls://HOST:PORT, udp://HOST:PORT, unix:PATH, unixgram:PATH, http://HOST:PORT, https://HOST:PORT, http+unix:PATH, systemd:NAME, fd:N or stdio:";

/**
 * Reads an endpoint.
 *
 * @param lookup answers for service names in the place of a port; without it they are refused.
 * @throws SyntaxError whose message says what was received and what would be right.
 */
export function parseEndpoint(text: string, lookup?: PortLookup): Endpoint {
  const internet = INTERNET.exec(text);
  if (internet !== null) {
    return parseInternet(internet[1] as InternetEndpoint["transport"], internet[2]!, text, lookup);
  }
  const local = LOCAL.exec(text);
  if (local !== null) return parseUnix(local[1] as UnixEndpoint["transport"], local[2]!, text);
  const inherited = INHERITED.exec(text);
  if (inherited !== null) {
    return parseInherited(inherited[1] as InheritedEndpoint["transport"], inherited[2]!, text);
  }
  throw new SyntaxError(`an endpoint is one of ${FORMS}; received ${quote(text)}`);
}

/** Ports of one range at most. */
const RANGE_MAX = 1024;

/**
 * The endpoints of a range of ports, as `tcp://*:30000-30009`; of any other text itself.
 *
 * @throws SyntaxError whose message says what was received and what would be right.
 */
export function expandPorts(text: string): string[] {
  const found = /^(\w+:\/\/.*:)(\d+)-(\d+)$/s.exec(text);
  if (found === null) return [text];
  const [, place, from, to] = found;
  const [first, last] = [Number(from), Number(to)];
  if (first < 1 || last > 65535 || last < first || last - first >= RANGE_MAX) {
    throw new SyntaxError(
      `a range of ports has two of 1 to 65535, the lower one first, and at most ${RANGE_MAX} ports; received ${
        quote(text)
      }`,
    );
  }
  return Array.from({ length: last - first + 1 }, (_, index) => `${place}${first + index}`);
}

function parseInternet(
  transport: InternetEndpoint["transport"],
  rest: string,
  text: string,
  lookup?: PortLookup,
): InternetEndpoint {
  const example = `${transport}://127.0.0.1:7007`;
  const found = /^(?:\[([^\]]*)\]|([^:]*)):([^:/]*)$/.exec(rest);
  if (found === null) {
    const why = /^[^[]*:.*:/.test(rest)
      ? "an IPv6 address stands in brackets, as in [::1]:7007"
      : rest.includes("/")
      ? "nothing follows the port"
      : "HOST:PORT is needed";
    throw new SyntaxError(`${why}, as in ${example}; received ${quote(text)}`);
  }
  const bracketed = found[1];
  if (bracketed !== undefined && !bracketed.includes(":")) {
    throw new SyntaxError(`only an IPv6 address stands in brackets; received ${quote(text)}`);
  }
  const host = bracketed ?? found[2]!;
  if (host === "") {
    throw new SyntaxError(
      `a host is needed, as in ${example}, or * for all; received ${quote(text)}`,
    );
  }
  if (NO_HOST.test(host)) {
    throw new SyntaxError(
      `a host is a name of letters, digits, - and . or an address; received ${quote(text)}`,
    );
  }
  if (/^[\d.]+$/.test(host) && !isIPv4(host)) {
    throw new SyntaxError(`${quote(host)} is no IPv4 address; received ${quote(text)}`);
  }
  return { transport, host, port: parsePort(found[3]!, transport, text, lookup) };
}

function parsePort(
  port: string,
  transport: string,
  text: string,
  lookup?: PortLookup,
): number {
  if (/^\d+$/.test(port)) {
    const number = Number(port);
    if (number <= 65535) return number;
    throw new SyntaxError(`a port is 0 to 65535; received ${port} in ${quote(text)}`);
  }
  if (port === "") throw new SyntaxError(`a port is needed, 0 for any; received ${quote(text)}`);
  const named = lookup?.(port, transport === "udp" ? "udp" : "tcp");
  if (named !== undefined) return named;
  throw new SyntaxError(
    `${quote(port)} is neither a port from 0 to 65535 nor a service of /etc/services; received ${
      quote(text)
    }`,
  );
}

function parseUnix(transport: UnixEndpoint["transport"], path: string, text: string): UnixEndpoint {
  if (path.startsWith("//")) {
    throw new SyntaxError(
      `a Unix socket is written ${transport}:PATH, without //; received ${quote(text)}`,
    );
  }
  if (path === "" || path === "@") {
    throw new SyntaxError(`a path is needed after ${transport}: ; received ${quote(text)}`);
  }
  if (path.includes("\0")) {
    throw new SyntaxError(
      `a path holds no NUL; write @name for the abstract namespace; received ${quote(text)}`,
    );
  }
  return { transport, path };
}

function parseInherited(
  transport: InheritedEndpoint["transport"],
  name: string,
  text: string,
): InheritedEndpoint {
  const right = transport === "stdio"
    ? name === ""
    : transport === "fd"
    ? /^\d+$/.test(name)
    : name !== "";
  if (right) return { transport, name };
  const form = transport === "fd" ? "fd:N" : transport === "systemd" ? "systemd:NAME" : "stdio:";
  throw new SyntaxError(`${form} is the form; received ${quote(text)}`);
}

/** Writes an endpoint as {@link parseEndpoint} reads it. */
export function formatEndpoint(endpoint: Endpoint): string {
  if ("name" in endpoint) return `${endpoint.transport}:${endpoint.name}`;
  if ("path" in endpoint) return `${endpoint.transport}:${endpoint.path}`;
  return `${endpoint.transport}://${bracket(endpoint.host)}:${endpoint.port}`;
}

/** `stream`, `datagram` or `http`: what a plugin's `transports` has to name for this endpoint. */
export function kindOf(transport: Endpoint["transport"]): "stream" | "datagram" | "http" {
  if (transport === "udp" || transport === "unixgram") return "datagram";
  return transport.startsWith("http") ? "http" : "stream";
}

/** Whether it is TCP that bytes travel by, with or without TLS. */
export function isTcp(transport: Endpoint["transport"]): boolean {
  return transport === "tcp" || transport === "tls";
}

/**
 * The address of one side of a conversation. Adapters may extend it to keep the kernel's own form
 * beside it. IPv4-mapped IPv6 addresses never occur: {@link normalizeHost} has been applied.
 */
export class Address {
  readonly transport: Transport;
  /** An IP address without brackets; empty for Unix sockets. */
  readonly host: string;
  /** 0 for Unix sockets. */
  readonly port: number;
  /** The socket's path, `@name` in the abstract namespace, empty when unnamed; empty for IP. */
  readonly path: string;
  /** What a record has said of it, which another one says again. */
  #text: string | undefined = undefined;

  constructor(transport: Transport, host: string, port: number, path: string) {
    this.transport = transport;
    this.host = host;
    this.port = port;
    this.path = path;
  }

  /** The address as an endpoint's text: `tcp://127.0.0.1:7007`, `unix:` when unnamed. */
  toString(): string {
    if (this.host === "") return `${this.transport}:${this.path}`;
    return this.#text ??= `${this.transport}://${bracket(this.host)}:${this.port}`;
  }
}

/** Who a peer was when it connected, as the kernel of this machine knows it: SO_PEERCRED of unix(7). */
export interface Credentials {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
}

/** The address of such a peer. Nobody is asked who he is unless a sink wants to know. */
export class KnownPeer extends Address {
  readonly credentials: Credentials;

  constructor({ transport, host, port, path }: Address, credentials: Credentials) {
    super(transport, host, port, path);
    this.credentials = credentials;
  }
}

/** `::ffff:10.1.2.3`, as a dual-stack socket reports an IPv4 peer, becomes `10.1.2.3`. */
export function normalizeHost(host: string): string {
  return host.length > 7 && host.startsWith("::ffff:") && host.includes(".") ? host.slice(7) : host;
}

/** Whether a host stands for every address of the machine: `*`, `0.0.0.0`, `::` however it is written. */
export function isWildcard(host: string): boolean {
  return host === "*" || host === "0.0.0.0" || (host.includes(":") && /^[0:.]+$/.test(host));
}

/** Dotted quad, each part 0 to 255, nothing else. */
export function isIPv4(host: string): boolean {
  return /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/.test(host);
}

function bracket(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

function quote(text: string): string {
  return JSON.stringify(text);
}
