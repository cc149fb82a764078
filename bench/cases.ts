/** What is measured, and what has been promised. */
import type { Bare, Case, InC, Portico, RuntimeName, Subject, Target } from "./case.ts";
import type { Shape } from "./load/traffic.ts";

/** Connections of the memory case. */
export const IDLE = 5_000;

const KIB = 1024;

const ONE: Shape = { kind: "echo", sockets: 1, size: 64, depth: 1, rate: 0 };
const echo = (sockets: number, size: number, depth = 1): Shape => ({
  ...ONE,
  sockets,
  size,
  depth,
});
const bulk = (sockets: number): Shape => ({ ...ONE, kind: "bulk", sockets, size: 64 * KIB });
const http = (sockets: number): Shape => ({ ...ONE, kind: "http", sockets });
const connect = (sockets: number, rate = 0): Shape => ({ ...ONE, kind: "connect", sockets, rate });

const bare = (handler: Bare["handler"]): Bare => ({ by: "bare", handler });
const compiled = (handler: Bare["handler"]): Bare => ({ by: "bare", handler, compiled: true });
const inC: InC = { by: "c", program: "echo" };
const inetd: InC = { by: "c", program: "inetd", compiled: true };
const ours = (plugin: string, more: Omit<Portico, "by" | "plugin"> = {}): Portico => ({
  by: "portico",
  plugin,
  ...more,
});
const silent = (plugin: string, service: Portico["service"] = {}): Portico =>
  ours(plugin, { service: { log: "none", ...service } });

const PUSH = "bench/portico/push.ts";
const PULL = "bench/portico/pull.ts";
const HONO = "bench/http/hono.ts";
const RESPONSE = "bench/http/response.ts";

const push = ours(PUSH);
const pull = ours(PULL);
const everywhere = ours(PUSH, { host: "*" });

const atMost = (ratio: number) => (): Target => ({ atMost: ratio });
const more = (amount: number) => (): Target => ({ more: amount });
const none = (): undefined => undefined;
const small = (runtime: RuntimeName): Target => ({ atMost: runtime === "deno" ? 1.05 : 1.03 });
const datagrams = (runtime: RuntimeName): Target => ({ atMost: runtime === "bun" ? 0.95 : 0.60 });

type Way = Omit<Case, "name" | "title" | "base" | "portico" | "shapes" | "target">;
const tcp: Way = { kind: "speed", transport: "tcp" };
const udp: Way = { kind: "speed", transport: "udp" };
const unix: Way = { kind: "speed", transport: "unix" };
const unixgram: Way = { kind: "speed", transport: "unixgram" };
const web: Way = { kind: "speed", transport: "http" };
const spawned: Way = { kind: "pace", transport: "tcp", anyCore: true };
const extra: Way = { ...tcp, extra: true };

const row = (
  name: string,
  title: string,
  way: Way,
  [base, portico]: readonly [Subject, Portico],
  shape: Shape | Case["shapes"],
  target: Case["target"],
): Case => ({
  name,
  title,
  ...way,
  base,
  portico,
  shapes: Array.isArray(shape) ? shape as Case["shapes"] : [shape as Shape],
  target,
});

const echoes = [bare("echo"), push] as const;
const bulks = [bare("bulk"), push] as const;
const pulled = [bare("echo"), pull] as const;
const plain = silent(RESPONSE);
/** The same service with one more thing. */
const beside = (service: Portico["service"]) => [plain, silent(RESPONSE, service)] as const;
const spawns = ours("echo", {
  compiled: true,
  service: { concurrency: { strategy: "spawn", max: 40 }, log: "none" },
});

export const CASES: readonly Case[] = [
  row("tcp-64x1", "TCP 64 B, 1 connection", tcp, echoes, echo(1, 64), small),
  row("tcp-64x64", "TCP 64 B, 64 connections", tcp, echoes, echo(64, 64), small),
  row("tcp-16kx1", "TCP 16 KiB, 1 connection", tcp, echoes, echo(1, 16 * KIB), small),
  row("tcp-16kx64", "TCP 16 KiB, 64 connections", tcp, echoes, echo(64, 16 * KIB), small),
  row("unix-64x64", "Unix stream 64 B, 64 connections", unix, echoes, echo(64, 64), small),
  row("bulk-1", "TCP as fast as it goes, 1 connection, a MiB", tcp, bulks, bulk(1), atMost(1.00)),
  row(
    "bulk-16",
    "TCP as fast as it goes, 16 connections, a MiB",
    tcp,
    bulks,
    bulk(16),
    atMost(1.00),
  ),
  row(
    "fair",
    "ping of 64 B beside 4 bulk connections, p99",
    { kind: "latency", transport: "tcp", quantile: "p99", laps: 3 },
    bulks,
    [echo(1, 64), bulk(4)],
    none,
  ),
  row(
    "pull-64x64",
    "pull form: TCP 64 B, 64 connections",
    tcp,
    pulled,
    echo(64, 64),
    atMost(1.10),
  ),
  row(
    "pull-16kx64",
    "pull form: TCP 16 KiB, 64 connections",
    tcp,
    pulled,
    echo(64, 16 * KIB),
    atMost(1.10),
  ),
  row(
    "pull-lent-16kx64",
    "pull form, chunks lent: TCP 16 KiB, 64 connections",
    tcp,
    [bare("echo"), ours("bench/portico/pull-lent.ts")],
    echo(64, 16 * KIB),
    atMost(1.10),
  ),
  row(
    "pull-lines",
    "pull form: 16 commands at once, 50 connections ÷ push form",
    tcp,
    [ours("bench/portico/lines-push.ts"), ours("bench/portico/lines-pull.ts")],
    echo(50, 24, 16),
    atMost(1.50),
  ),
  row(
    "pipelined",
    "TCP, 16 messages of 64 B at once",
    tcp,
    [bare("pipelined"), ours("bench/portico/pipelined.ts")],
    echo(64, 64, 16),
    () => ({ below: 1.00 }),
  ),
  row("udp-16x8", "UDP 64 B, 16 sockets, 8 in flight", udp, echoes, echo(16, 64, 8), datagrams),
  row("udp-1x1", "UDP 64 B, one in flight", udp, echoes, echo(1, 64), atMost(1.00)),
  row(
    "udp-16x8-c",
    "UDP 64 B, 16 sockets, 8 in flight ÷ C with epoll",
    udp,
    [inC, push],
    echo(16, 64, 8),
    atMost(0.95),
  ),
  row(
    "unixgram-8",
    "Unix datagrams 64 B, 8 sockets ÷ C with epoll",
    unixgram,
    [inC, push],
    echo(8, 64),
    atMost(1.20),
  ),
  row(
    "all-16x8",
    "UDP on *, 64 B, 16 sockets, 8 in flight",
    udp,
    [bare("echo"), everywhere],
    echo(16, 64, 8),
    none,
  ),
  row(
    "all-1x1",
    "UDP on *, 64 B, one in flight",
    udp,
    [bare("echo"), everywhere],
    echo(1, 64),
    none,
  ),
  row(
    "http-64",
    "HTTP, a Hono app, 64 connections",
    web,
    [bare("hono"), silent(HONO)],
    http(64),
    atMost(1.05),
  ),
  row(
    "http-raw",
    "HTTP, a handler with a Response, 64 connections",
    web,
    [bare("response"), plain],
    http(64),
    none,
  ),
  row(
    "http-native",
    "HTTP, a handler with a Response ÷ node:http",
    { ...web, runtimes: ["node", "node24"] },
    [bare("native"), plain],
    http(64),
    none,
  ),
  row(
    "http-srvx",
    "HTTP, a Hono app, 64 connections ÷ srvx",
    web,
    [bare("srvx"), silent(HONO)],
    http(64),
    none,
  ),
  row(
    "http-limits-sessions",
    "HTTP with `sessions` ÷ without",
    web,
    beside({ limits: { sessions: 10_000 } }),
    http(64),
    none,
  ),
  row(
    "http-limits-per-source",
    "HTTP with `perSource` ÷ without",
    web,
    beside({ limits: { perSource: 1_000 } }),
    http(64),
    none,
  ),
  row(
    "http-limits-rule",
    "HTTP with a rule ÷ without",
    web,
    beside({ access: { allow: ["127.0.0.0/8"] } }),
    http(64),
    none,
  ),
  row(
    "http-limits-sink",
    "HTTP with an access log ÷ without",
    web,
    [plain, ours(RESPONSE, { file: { events: ["request"] } })],
    http(64),
    none,
  ),
  row(
    "http-limits-verify",
    "HTTP with `verify` ÷ without",
    web,
    [silent("bench/portico/response.ts"), silent("bench/portico/verified.ts")],
    http(64),
    none,
  ),
  row("connect", "TCP connect, echo, close", tcp, echoes, connect(32), none),
  row(
    "sink-file",
    "TCP connect, echo, close: a file sink ÷ none",
    tcp,
    [silent(PUSH), ours(PUSH, { file: {} })],
    connect(32),
    atMost(1.10),
  ),
  row(
    "sink-message",
    "TCP 64 B, 64 connections: a file sink ÷ none",
    tcp,
    [silent(PUSH), ours(PUSH, { file: {} })],
    echo(64, 64),
    none,
  ),
  row(
    "spawn",
    "`spawn`, sessions a second ÷ inetd, compiled package",
    { ...spawned, laps: 8 },
    [inetd, spawns],
    connect(1),
    () => ({ atLeast: 0.85 }),
  ),
  row(
    "spawn-warm",
    "`spawn`, a session with a warm spare, p50, compiled package",
    { ...spawned, kind: "latency", quantile: "p50", laps: 20 },
    [inetd, spawns],
    connect(4, 2),
    () => ({ inAll: 6 }),
  ),
  row(
    "memory",
    "memory of an idle connection",
    { kind: "memory", transport: "tcp" },
    [bare("idle"), ours("bench/portico/idle.ts")],
    echo(IDLE, 64),
    atMost(1.15),
  ),
  row(
    "rest",
    "memory of an idle server",
    { kind: "rest", transport: "tcp" },
    echoes,
    echo(1, 64),
    none,
  ),
  row(
    "rest-package",
    "memory of an idle server, compiled package",
    { kind: "rest", transport: "tcp" },
    [compiled("echo"), ours("echo", { compiled: true })],
    echo(1, 64),
    more(12),
  ),
  row(
    "start",
    "from the start to ready",
    { kind: "start", transport: "tcp" },
    echoes,
    echo(1, 64),
    more(60),
  ),
  row(
    "start-package",
    "from the start to ready, compiled package",
    { kind: "start", transport: "tcp" },
    [compiled("echo"), ours("echo", { compiled: true })],
    echo(1, 64),
    more(20),
  ),
  row("tcp-64x8", "TCP 64 B, 8 connections", extra, echoes, echo(8, 64), small),
  row("tcp-64x1000", "TCP 64 B, 1,000 connections", extra, echoes, echo(1_000, 64), small),
  row("tcp-16kx8", "TCP 16 KiB, 8 connections", extra, echoes, echo(8, 16 * KIB), small),
  row("tcp-16kx1000", "TCP 16 KiB, 1,000 connections", extra, echoes, echo(1_000, 16 * KIB), small),
  row("tcp-64x1-c", "TCP 64 B, 1 connection ÷ C with epoll", extra, [inC, push], echo(1, 64), none),
  row(
    "tcp-64x64-c",
    "TCP 64 B, 64 connections ÷ C with epoll",
    extra,
    [inC, push],
    echo(64, 64),
    none,
  ),
  row(
    "tcp-16kx64-c",
    "TCP 16 KiB, 64 connections ÷ C with epoll",
    extra,
    [inC, push],
    echo(64, 16 * KIB),
    none,
  ),
];
