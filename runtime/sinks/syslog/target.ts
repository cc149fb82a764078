import type { NamedEndpoint } from "../../core/contract.ts";
import { parseEndpoint, UNIX_PATH_MAX } from "../../core/endpoint.ts";
import { messageOf } from "../../core/errors.ts";
import { portOf } from "../../values/ports.ts";

const FORMS = "unix:PATH, udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT";
/** Where a URL names no port: RFC 5426, what is met most, RFC 5425. */
const PORTS: Readonly<Record<string, number>> = { udp: 514, tcp: 514, tls: 6514 };

/**
 * Where a syslog server is.
 *
 * @throws SyntaxError that says what would be right.
 */
export function parseTarget(text: string): NamedEndpoint {
  const bare = /^(udp|tcp|tls):\/\/(\[[^\]]*\]|[^:/[\]]+)$/.exec(text);
  const whole = bare === null ? text : `${text}:${PORTS[bare[1]!]}`;
  const scheme = /^([\w+]*):/.exec(text)?.[1];
  if (scheme !== "unix" && (scheme === undefined || !Object.hasOwn(PORTS, scheme))) {
    throw new SyntaxError(`the address of a syslog server is one of ${FORMS}`);
  }
  const endpoint = parseEndpoint(whole, portOf) as NamedEndpoint;
  if ("port" in endpoint && (endpoint.port === 0 || endpoint.host === "*")) {
    throw new SyntaxError("a host and a port are needed to send to, as in udp://127.0.0.1:514");
  }
  if ("host" in endpoint && !HOST.test(endpoint.host)) {
    throw new SyntaxError("a host is a name of letters, digits, - and . or an address");
  }
  if ("path" in endpoint && new TextEncoder().encode(endpoint.path).length > UNIX_PATH_MAX) {
    throw new SyntaxError(`a path of a Unix socket has at most ${UNIX_PATH_MAX} bytes`);
  }
  return endpoint;
}

/** Names as they are met, with `_`, and addresses with a zone: fe80::1%eth0. */
const HOST = /^[\w.:%-]+$/;

/** What is wrong with an address, as what would be right; undefined for one that can be used. */
export function wrongTarget(text: string): string | undefined {
  try {
    parseTarget(text);
    return undefined;
  } catch (error) {
    return messageOf(error).replace(/; received .*$/s, "");
  }
}
