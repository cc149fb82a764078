/**
 * Socket options by descriptor: those that a runtime has no API for, on the sockets of any runtime
 * whose descriptor is known. On Linux an accepted connection inherits the options of its listener.
 */
import type { Lack, OptionName, SocketOptions, Support } from "../../runtime/core/contract.ts";
import type { Transport } from "../../runtime/core/endpoint.ts";
import { optionFailure } from "../errno.ts";
import { keepAliveProbes } from "../keep-alive.ts";
import { ffiSupport, type Libc, openLibc } from "./libc.ts";
import * as linux from "./linux.ts";
import { joinGroup } from "./multicast.ts";

const { SOL_IP, SOL_IPV6, SOL_SOCKET, SOL_TCP } = linux;

const STREAMS: readonly Transport[] = ["tcp", "tls", "http", "https"];
const INTERNET: readonly Transport[] = [...STREAMS, "udp"];
const UNIX: readonly Transport[] = ["unix", "unixgram", "http+unix"];
const ALL: readonly Transport[] = [...INTERNET, ...UNIX];

/** One socket option of the kernel. */
interface Option {
  /** Transports that it means something for. */
  readonly transports: readonly Transport[];
  /** Level and number; `v6` where IPv6 sockets have another one. */
  readonly v4?: readonly [level: number, option: number];
  readonly v6?: readonly [level: number, option: number];
  /** From the manifest's value to the kernel's. */
  readonly encode?: (value: number | boolean) => number;
  /** From the kernel's value to the manifest's, as text. */
  readonly decode?: (value: number) => string;
  /** It has to be set before bind(2). */
  readonly early?: true;
}

const flag = (value: number): string => value === 0 ? "false" : "true";
const milliseconds = (value: number): string => value === 0 ? "0" : `${value}ms`;

/** Every option: what it is to the kernel. `mode` is chmod(2)'s and `backlog` listen(2)'s. */
const TABLE: Readonly<Record<OptionName, Option>> = {
  backlog: { transports: [...STREAMS, "unix", "http+unix"] },
  noDelay: { transports: STREAMS, v4: [SOL_TCP, linux.TCP_NODELAY], decode: flag },
  // Beside what is read back here it is SO_KEEPALIVE, TCP_KEEPINTVL and TCP_KEEPCNT.
  keepAlive: { transports: STREAMS, v4: [SOL_TCP, linux.TCP_KEEPIDLE] },
  receiveBuffer: { transports: ALL, v4: [SOL_SOCKET, linux.SO_RCVBUF] },
  sendBuffer: { transports: ALL, v4: [SOL_SOCKET, linux.SO_SNDBUF] },
  reusePort: {
    transports: INTERNET,
    v4: [SOL_SOCKET, linux.SO_REUSEPORT],
    decode: flag,
    early: true,
  },
  ipv6Only: {
    transports: INTERNET,
    v6: [SOL_IPV6, linux.IPV6_V6ONLY],
    decode: flag,
    early: true,
  },
  mode: { transports: UNIX },
  ttl: {
    transports: INTERNET,
    v4: [SOL_IP, linux.IP_TTL],
    v6: [SOL_IPV6, linux.IPV6_UNICAST_HOPS],
  },
  broadcast: { transports: ["udp"], v4: [SOL_SOCKET, linux.SO_BROADCAST], decode: flag },
  multicast: { transports: ["udp"] },
  multicastTtl: {
    transports: ["udp"],
    v4: [SOL_IP, linux.IP_MULTICAST_TTL],
    v6: [SOL_IPV6, linux.IPV6_MULTICAST_HOPS],
  },
  multicastLoopback: {
    transports: ["udp"],
    v4: [SOL_IP, linux.IP_MULTICAST_LOOP],
    v6: [SOL_IPV6, linux.IPV6_MULTICAST_LOOP],
    decode: flag,
  },
  device: { transports: INTERNET, v4: [SOL_SOCKET, linux.SO_BINDTODEVICE], early: true },
  deferAccept: {
    transports: STREAMS,
    v4: [SOL_TCP, linux.TCP_DEFER_ACCEPT],
    encode: (value) => Math.ceil(Number(value) / 1000),
    decode: (value) => milliseconds(value * 1000),
  },
  fastOpen: { transports: STREAMS, v4: [SOL_TCP, linux.TCP_FASTOPEN] },
  userTimeout: {
    transports: STREAMS,
    v4: [SOL_TCP, linux.TCP_USER_TIMEOUT],
    decode: milliseconds,
  },
  dscp: {
    transports: INTERNET,
    v4: [SOL_IP, linux.IP_TOS],
    v6: [SOL_IPV6, linux.IPV6_TCLASS],
    encode: (value) => Number(value) << 2,
    decode: (value) => String(value >> 2),
  },
};

/** The names of all options. */
export const OPTION_NAMES: readonly OptionName[] = Object.keys(TABLE) as OptionName[];

/** Whether an option means something for a transport. */
export function concerns(name: OptionName, transport: Transport): boolean {
  return TABLE[name].transports.includes(transport);
}

/** Whether an option has to be set before the socket is bound, so that a runtime's own socket is too late. */
export function isEarly(name: OptionName): boolean {
  return TABLE[name].early === true && name !== "device";
}

/** By option and transport, as {@link Features.options} wants it: `support(name, transport)` for each that has a meaning. */
export function optionTable(
  transports: readonly Transport[],
  support: (name: OptionName, transport: Transport) => Support,
): Record<OptionName, Partial<Record<Transport, Support>>> {
  const table = {} as Record<OptionName, Partial<Record<Transport, Support>>>;
  for (const name of OPTION_NAMES) {
    const row: Partial<Record<Transport, Support>> = {};
    for (const each of transports) {
      if (concerns(name, each)) row[each] = support(name, each);
    }
    table[name] = row;
  }
  return table;
}

const BOUND: Lack = {
  reason: "it has to be set before the socket is bound, and this runtime binds by itself",
};

/** Whether {@link applyByDescriptor} can set an option of a socket that is bound already. */
export function descriptorSupport(name: OptionName): Support {
  return isEarly(name) ? BOUND : ffiSupport();
}

const value = new Uint8Array(new ArrayBuffer(64));
const number = new Int32Array(value.buffer, 0, 1);

/** Sets one option. @throws PorticoError of side `config` that names it. */
export function setOption(
  libc: Libc,
  fd: number,
  family: number,
  name: OptionName,
  wanted: NonNullable<SocketOptions[OptionName]>,
): void {
  const option = TABLE[name];
  const check = (code: number): void => {
    if (code < 0) throw optionFailure(name, wanted, -code);
  };
  if (name === "mode") return;
  if (name === "backlog") return check(libc.listen(fd, Number(wanted)));
  if (name === "multicast") {
    for (const group of wanted as readonly string[]) check(joinGroup(libc, fd, family, group));
    return;
  }
  if (name === "device") {
    const bytes = new TextEncoder().encode(`${String(wanted)}\0`);
    if (bytes.length > 16) throw optionFailure(name, wanted, 19);
    value.set(bytes);
    const [level, code] = option.v4!;
    return check(libc.setsockopt(fd, level, code, value.subarray(0, bytes.length)));
  }
  const set = ([level, code]: readonly [number, number], to: number): number => {
    number[0] = to;
    return libc.setsockopt(fd, level, code, value.subarray(0, 4));
  };
  if (name === "keepAlive") {
    const probes = wanted === 0 ? undefined : keepAliveProbes(Number(wanted));
    check(set([SOL_SOCKET, linux.SO_KEEPALIVE], probes === undefined ? 0 : 1));
    if (probes === undefined) return;
    check(set([SOL_TCP, linux.TCP_KEEPIDLE], probes.idle));
    check(set([SOL_TCP, linux.TCP_KEEPINTVL], probes.interval));
    return check(set([SOL_TCP, linux.TCP_KEEPCNT], probes.count));
  }
  const scalar = wanted as number | boolean;
  const to = option.encode?.(scalar) ?? Number(scalar);
  const six = family === linux.AF_INET6;
  if (six && option.v6 !== undefined) {
    check(set(option.v6, to));
    // What goes to IPv4 peers has its own; an IPv6-only socket may refuse it, and does not need it.
    if (option.v4 !== undefined) set(option.v4, to);
  } else if (option.v4 !== undefined) {
    check(set(option.v4, to));
  }
}

/** What the kernel has for an option, as the manifest would say it; undefined where it has nothing. */
export function getOption(
  libc: Libc,
  fd: number,
  family: number,
  name: OptionName,
): string | undefined {
  const option = TABLE[name];
  const place = family === linux.AF_INET6 ? option.v6 ?? option.v4 : option.v4;
  if (place === undefined) return undefined;
  value.fill(0);
  if (name === "keepAlive") {
    const on = libc.getsockopt(fd, SOL_SOCKET, linux.SO_KEEPALIVE, value.subarray(0, 4));
    if (on < 0) return undefined;
    if (number[0] === 0) return "0";
  }
  const size = libc.getsockopt(
    fd,
    place[0],
    place[1],
    value.subarray(0, name === "device" ? 16 : 4),
  );
  if (size < 0) return undefined;
  if (name === "device") return new TextDecoder().decode(value.subarray(0, Math.max(0, size - 1)));
  // IP_MULTICAST_TTL and IP_MULTICAST_LOOP may answer with one byte.
  const found = size === 1 ? value[0]! : number[0]!;
  if (name === "keepAlive") return `${found}s`;
  return option.decode?.(found) ?? String(found);
}

/** The address family of a socket. */
export function familyOf(libc: Libc, fd: number): number {
  const name = new Uint8Array(new ArrayBuffer(128));
  const size = libc.getsockname(fd, name);
  return size < 2 ? -1 : name[0]! | name[1]! << 8;
}

/**
 * Sets options of a socket that is bound already, by its descriptor.
 *
 * @param names the options to set; all that concern the transport and can still be set, when silent.
 * @throws PorticoError of side `config` that names the option and the reason.
 */
export async function applyByDescriptor(
  fd: number,
  transport: Transport,
  options: SocketOptions,
  names: readonly OptionName[] = OPTION_NAMES,
): Promise<void> {
  const wanted = names.filter((name) =>
    options[name] !== undefined && concerns(name, transport) && !isEarly(name) && name !== "mode"
  );
  if (wanted.length === 0) return;
  const libc = await openLibc();
  const family = familyOf(libc, fd);
  for (const name of wanted) setOption(libc, fd, family, name, options[name]!);
}
