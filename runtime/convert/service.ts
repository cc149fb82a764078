/** One service of inetd or xinetd as an entry of a manifest, with a remark for what has no equal. */
import { rulesOf } from "./access.ts";
import type { Converted, Entry } from "./entry.ts";
import { bannerOf, limitsOf } from "./newcomers.ts";
import { logOf } from "./log.ts";
import { resourcesOf, RLIMITS } from "./resources.ts";
import { sensorOf } from "./sensor.ts";

/** Services that these servers provide themselves, and plugins that come along with Portico. */
const INTERNAL: readonly string[] = ["echo", "discard", "daytime", "time", "chargen"];

/** Attributes that have no equal, and why; those that are missing everywhere else are told by their name. */
const NONE: Readonly<Record<string, string>> = {
  perminute:
    "no limit counts connections a minute from one address; limits.perSource bounds those at once",
  tcpd: "hosts.allow and hosts.deny are not read: write them as access",
  libwrap: "hosts.allow and hosts.deny are not read: write them as access",
  mdns: "nothing is registered",
  rpc_version: "there is no portmapper",
  rpc_number: "there is no portmapper",
};
const FLAGS: Readonly<Record<string, string>> = {
  INTERCEPT: "packets are not looked at",
  IDONLY: "the client's ident server is not asked",
  LABELED: "programs have the security context of the server",
  NORETRY: "a start that fails is not tried again anyway",
};
/** What is read below, or means the same anyway. */
const READ: readonly string[] = [
  ...["id", "type", "flags", "disable", "socket_type", "protocol", "wait", "user", "group", "port"],
  ...["instances", "nice", "server", "server_args", "only_from", "no_access", "log_type", "cpm"],
  ...["log_on_success", "log_on_failure", "env", "passenv", "redirect", "bind", "interface"],
  ...["per_source", "cps", "umask", "groups", "v6only", "deny_time", "access_times"],
  ...["max_load", "banner", "banner_success", "banner_fail", ...RLIMITS],
];

export function convert(entry: Entry, taken: Set<string>): Converted {
  const remarks: string[] = [];
  const get = (name: string): readonly string[] | undefined => entry.attributes.get(name);
  const remark = (text: string): void => void remarks.push(text);
  const flags = get("flags") ?? [];
  for (const name of entry.attributes.keys()) {
    if (NONE[name] !== undefined) remark(`${name}: ${NONE[name]}`);
    else if (!READ.includes(name)) remark(`${name}: Portico has nothing of this name`);
  }
  for (const flag of flags) if (FLAGS[flag] !== undefined) remark(`${flag}: ${FLAGS[flag]}`);
  if (get("groups")?.[0] === "no") remark("groups = no: programs have the groups of their user");
  const sensor = flags.includes("SENSOR");
  const off = whyNot(entry, get, flags);
  if (entry.off !== undefined) remark(entry.off);
  const service = {
    ...(sensor ? { plugin: "sensor" } : whatOf(entry, get, flags, remark)),
    ...(entry.off !== undefined && { disable: true }),
    listen: listenOf(entry, get, flags),
    ...(sensor ? sensorPolicyOf(get, remark) : { ...processOf(get), ...policyOf(get, remark) }),
  };
  const { file, line } = entry;
  const name = nameOf(entry, taken);
  return { name, file, line, service, remarks, ...(off !== undefined && { off }) };
}

/** The name in the manifest, which is one service's alone. */
function nameOf({ id, attributes }: Entry, taken: Set<string>): string {
  const plain = id.replaceAll(/[^\w-]+/g, "-").replace(/^-+|-+$/g, "") || "service";
  const protocol = attributes.get("protocol")?.[0] ?? "tcp";
  let name = taken.has(plain) ? `${plain}-${protocol.replaceAll("/", "-")}` : plain;
  for (let count = 2; taken.has(name); count++) name = `${plain}-${count}`;
  taken.add(name);
  return name;
}

type Get = (name: string) => readonly string[] | undefined;

/** Why nothing of ours can take its place. */
function whyNot(
  entry: Entry,
  get: Get,
  flags: readonly string[],
): string | undefined {
  const [type] = get("socket_type") ?? ["stream"];
  const types = get("type") ?? [];
  const inside = isInternal(entry, get);
  if (types.includes("RPC")) return "there is no portmapper";
  if (types.includes("TCPMUX") || types.includes("TCPMUXPLUS") || entry.service === "tcpmux") {
    return "there is no TCPMUX (RFC 1078)";
  }
  const kept = rulesOf(get("no_access") ?? []).names;
  if (kept.length > 0) {
    return `no_access has names of networks (${kept.join(" ")}): write their addresses instead`;
  }
  if (type !== "stream" && type !== "dgram") return `there are no sockets of the type ${type}`;
  if (flags.includes("SENSOR") || get("redirect") !== undefined) return undefined;
  if (inside) {
    return INTERNAL.includes(entry.service)
      ? undefined
      : "it is a service of that server's own; see `portico ctl status`, and the plugin admin";
  }
  if (get("server") === undefined) return "it has no server";
  if (get("wait")?.[0] === "yes" && type === "stream") {
    return "wait = yes gives the program the listening socket, which the plugin exec does not";
  }
  if (type === "dgram") {
    return "the program is given the socket of the datagrams itself: the plugin exec gives it one datagram as its input, and sends what it prints";
  }
  return undefined;
}

function isInternal({ service }: Entry, get: Get): boolean {
  if (get("type")?.includes("INTERNAL") === true) return true;
  return get("server") === undefined && INTERNAL.includes(service);
}

/** The plugin and its options. */
function whatOf(
  entry: Entry,
  get: Get,
  flags: readonly string[],
  remark: (text: string) => void,
): object {
  const redirect = get("redirect");
  const limits = RLIMITS.filter((name) => get(name) !== undefined);
  if (limits.length > 0 && (redirect !== undefined || isInternal(entry, get))) {
    remark(`${limits.join(", ")}: there is no program, this server does it itself`);
  }
  if (redirect !== undefined) {
    const [host = "", port = entry.service] = redirect;
    return { plugin: "proxy", options: { to: `tcp://${bracketed(host)}:${port}` } };
  }
  if (isInternal(entry, get)) return { plugin: entry.service };
  const args = get("server_args") ?? [];
  const env = Object.fromEntries(
    (get("env") ?? []).map((word) => {
      const at = word.indexOf("=");
      return at < 0 ? [word, ""] : [word.slice(0, at), word.slice(at + 1)];
    }),
  );
  const resources = resourcesOf(get, remark);
  const options = {
    // With NAMEINARGS the first argument is the program's own name.
    command: [...get("server") ?? [], ...flags.includes("NAMEINARGS") ? args.slice(1) : args],
    ...(Object.keys(env).length > 0 && { env }),
    // xinetd gives its own environment where nothing is said.
    passEnv: get("passenv") ?? true,
    ...(resources !== undefined && { resources }),
  };
  return { plugin: "exec", options };
}

function listenOf(entry: Entry, get: Get, flags: readonly string[]): unknown {
  const protocol = get("protocol")?.[0] ?? (get("socket_type")?.[0] === "dgram" ? "udp" : "tcp");
  const datagrams = get("socket_type")?.[0] === "dgram";
  if (protocol === "unix") return `${datagrams ? "unixgram" : "unix"}:${entry.service}`;
  const six = flags.includes("IPv6") || protocol.endsWith("6");
  const only = six && (get("v6only")?.[0] === "yes" || protocol.endsWith("6"));
  const host = (get("bind") ?? get("interface"))?.[0] ?? (only ? "::" : six ? "*" : "0.0.0.0");
  const port = get("port")?.[0] ?? entry.service;
  const endpoint = `${datagrams ? "udp" : "tcp"}://${bracketed(host)}:${port}`;
  const options = {
    ...(flags.includes("NODELAY") && !datagrams && { noDelay: true }),
    // What Linux does when nothing else is said: two hours.
    ...(flags.includes("KEEPALIVE") && !datagrams && { keepAlive: "2h" }),
  };
  return Object.keys(options).length === 0 ? endpoint : { endpoint, ...options };
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** Who its processes are. Only those that are not the server itself can be somebody else. */
function processOf(get: Get): object {
  const [user, group, nice, umask] = ["user", "group", "nice", "umask"].map((name) =>
    get(name)?.[0]
  );
  const inside = get("type")?.includes("INTERNAL") === true && get("redirect") === undefined;
  const own = {
    ...(user !== undefined && user !== "root" && !inside && { user: plain(user) }),
    ...(group !== undefined && !inside && { group: plain(group) }),
    ...(nice !== undefined && { nice: Number(nice) }),
    ...(umask !== undefined && { umask }),
  };
  if (Object.keys(own).length === 0) return {};
  return { concurrency: { strategy: "processes", workers: 1 }, ...own };
}

/** A number of a user is one in the manifest, too. */
function plain(text: string): string | number {
  return /^\d+$/.test(text) ? Number(text) : text;
}

/** `8:00-18:00` as `08:00-18:01`: the last minute of xinetd's is in the span. Undefined for what is no span there. */
function hoursOf(text: string): string | undefined {
  const found = /^(\d{1,2}):(\d{1,2})-(\d{1,2}):(\d{1,2})$/.exec(text);
  if (found === null) return undefined;
  const [a, b, c, d] = found.slice(1).map(Number) as [number, number, number, number];
  const [from, last] = [60 * a + b, 60 * c + d];
  if (b > 59 || d > 59 || last > 24 * 60 || from > last) return undefined;
  return `${clock(from)}-${clock(Math.min(last + 1, 24 * 60))}`;
}

function clock(minute: number): string {
  const two = (part: number): string => String(part).padStart(2, "0");
  return `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;
}

/** Limits, access and log. */
function policyOf(get: Get, remark: (text: string) => void): object {
  const limits = limitsOf(get, remark);
  const banner = bannerOf(get, remark);
  const [allow, deny] = [get("only_from"), get("no_access")];
  const [from, not] = [rulesOf(allow ?? []), rulesOf(deny ?? [])];
  if (from.names.length > 0) {
    remark(`${from.names.join(" ")}: rules know no names of networks; nobody is let in for one`);
  }
  const times = (get("access_times") ?? []).map(hoursOf);
  const wrong = times.indexOf(undefined);
  if (wrong >= 0) remark(`access_times: ${get("access_times")![wrong]} is no HH:MM-HH:MM`);
  // A clock of the wall there, too: no zone is named.
  const timed = times.filter((hours) => hours !== undefined);
  const whom = allow === undefined ? ["0.0.0.0/0", "::/0"] : from.rules;
  const access = {
    ...(times.length > 0 && whom.length > 0
      ? { allow: timed.length > 0 ? [{ from: whom, times: timed }] : [] }
      : allow !== undefined && { allow: from.rules }),
    ...(deny !== undefined && not.rules.length > 0 && { deny: not.rules }),
  };
  const log = logOf(get, remark);
  return {
    ...(Object.keys(limits).length > 0 && { limits }),
    ...(Object.keys(access).length > 0 && { access }),
    ...(banner !== undefined && { banner }),
    ...(log !== undefined && { log }),
  };
}

/** Nobody is served there, so that no limit and no rule has a say. */
function sensorPolicyOf(get: Get, remark: (text: string) => void): object {
  const log = logOf(get, remark);
  return { ...sensorOf(get, remark), ...(log !== undefined && { log }) };
}
