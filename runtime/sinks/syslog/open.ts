import { readFileSync } from "node:fs";
import { hostname as ownName } from "node:os";
import process from "node:process";
import type { NamedEndpoint } from "../../core/contract.ts";
import { formatEndpoint, type TlsClient, type UnixEndpoint } from "../../core/endpoint.ts";
import { codeOf, messageOf, PorticoError } from "../../core/errors.ts";
import type { LogRecord, Sink } from "../../core/record.ts";
import { Delivery } from "../delivery.ts";
import { checkLength, openDatagrams } from "../link/datagram.ts";
import type { OpenLink } from "../link/link.ts";
import { openStream } from "../link/stream.ts";
import type { SinkHost } from "../types.ts";
import { FRAMINGS } from "./framing.ts";
import type { SyslogOptions } from "./options.ts";
import { rfc3164 } from "./rfc3164.ts";
import { rfc5424 } from "./rfc5424.ts";
import { parseTarget } from "./target.ts";

/** What a receiver should take over UDP: RFC 5426 §3.2. More would be sent in fragments, and lost with any of them. */
const UDP_SIZE = 2048;
/** What rsyslogd and syslog-ng take when nobody has told them otherwise. */
const STREAM_SIZE: number = 8 * 1024;

/**
 * Looks for the server from now on; records wait for it.
 *
 * @throws PorticoError of side `config` for what no server can mend: a path that is too long, a file
 * of `tls` that cannot be read.
 */
export function openSyslog(options: SyslogOptions, host: SinkHost): Sink {
  const endpoint = parseTarget(options.to);
  if ("path" in endpoint) checkLength(endpoint.path);
  return new Delivery({
    name: `the syslog server ${formatEndpoint(endpoint)}`,
    bounds: { records: options.queue, bytes: options.queueBytes, overflow: options.overflow },
    encode: encoderOf(options, endpoint),
    open: linkTo(endpoint, options, host),
    warn: host.warn,
  }).start();
}

function encoderOf(
  options: SyslogOptions,
  { transport }: NamedEndpoint,
): (record: LogRecord) => Uint8Array {
  const local = transport === "unix";
  const { facility, appName, sdId, hostname = ownName() } = options;
  const maxSize = options.maxSize ?? (transport === "udp" ? UDP_SIZE : STREAM_SIZE);
  const originator = { facility, appName, sdId, hostname, maxSize, pid: process.pid };
  const format = options.format ?? (local ? "rfc3164" : "rfc5424");
  return format === "rfc5424" ? rfc5424(originator) : rfc3164(originator, local);
}

function linkTo(
  endpoint: NamedEndpoint,
  { framing, tls }: SyslogOptions,
  { adapter }: SinkHost,
): OpenLink {
  if (endpoint.transport === "udp") return (events) => openDatagrams(adapter, endpoint, events);
  if ("path" in endpoint) {
    const input = { endpoint, framing: FRAMINGS[framing ?? "nul"] };
    return async (events) => {
      try {
        return await openDatagrams(adapter, asDatagrams(endpoint), events);
      } catch (error) {
        // A socket of streams refuses (EPROTOTYPE); or there is no way to make one of datagrams.
        const code = codeOf(error);
        if (code !== "ECONNREFUSED" && code !== "NOT_SUPPORTED") throw error;
        return await openStream(adapter, input, events).catch(() => {
          throw error;
        });
      }
    };
  }
  const input = {
    endpoint,
    framing: FRAMINGS[framing ?? "octet-counting"],
    ...(endpoint.transport === "tls" && { tls: readTls(tls) }),
  };
  return (events) => openStream(adapter, input, events);
}

function asDatagrams({ path }: UnixEndpoint): UnixEndpoint {
  return { transport: "unixgram", path };
}

function readTls({ ca, cert, key, ...rest }: NonNullable<SyslogOptions["tls"]> = {}): TlsClient {
  const { serverName, rejectUnauthorized } = rest;
  return {
    ...(ca !== undefined && { ca: read("ca", ca) }),
    ...(cert !== undefined && { cert: read("cert", cert) }),
    ...(key !== undefined && { key: read("key", key) }),
    ...(serverName !== undefined && { serverName }),
    ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
  };
}

function read(what: string, path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new PorticoError(
      codeOf(error) ?? "SINK_FAILED",
      `cannot read ${path}, the tls.${what} of a syslog sink: ${messageOf(error)}`,
      { cause: error, side: "config" },
    );
  }
  if (text.includes("-----BEGIN ")) return text;
  throw new PorticoError(
    "SINK_FAILED",
    `${path}, the tls.${what} of a syslog sink, is not PEM: it has no line -----BEGIN …-----`,
    { side: "config" },
  );
}
