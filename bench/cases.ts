/** What is measured, and what has been promised. */
import type { Call } from "./bare/call.ts";
import type { Shape } from "./load/traffic.ts";

export const RUNTIMES = ["node", "deno", "bun", "node24"] as const;
export type RuntimeName = typeof RUNTIMES[number];

/** A promise: at most this ratio, below it, or at most so many milliseconds more than bare. */
export type Target =
  | { readonly atMost: number }
  | { readonly below: number }
  | { readonly more: number };

/** One of the files in `portico/`. */
export type PluginName = "push" | "pull" | "pipelined" | "idle";

/** One row of the report. */
export interface Case {
  readonly name: string;
  readonly title: string;
  readonly kind: "speed" | "memory" | "start";
  readonly transport: Call["transport"];
  /** Who answers in the bare server, and in Portico. */
  readonly handler: Call["handler"];
  readonly plugin: PluginName;
  /** Where Portico listens; 127.0.0.1 when silent. */
  readonly host?: string;
  readonly shape: Shape;
  readonly target: (runtime: RuntimeName) => Target | undefined;
}

/** Connections of the memory case. */
export const IDLE = 5_000;

const push = (runtime: RuntimeName): Target => ({ atMost: runtime === "deno" ? 1.05 : 1.03 });
const pull = (): Target => ({ atMost: 1.10 });
const udpLoad = (runtime: RuntimeName): Target => ({ atMost: runtime === "bun" ? 0.95 : 0.60 });
const udpOne = (): Target => ({ atMost: 1.00 });
const gathered = (): Target => ({ below: 1.00 });
const memory = (): Target => ({ atMost: 1.15 });
const start = (): Target => ({ more: 60 });
const none = (): undefined => undefined;

const shape = (sockets: number, size: number, depth = 1, reconnect = false): Shape => ({
  sockets,
  size,
  depth,
  reconnect,
});

type Way = Pick<Case, "kind" | "transport" | "handler" | "plugin" | "host">;
const tcp: Way = { kind: "speed", transport: "tcp", handler: "echo", plugin: "push" };
const pulled: Way = { ...tcp, plugin: "pull" };
const pipelined: Way = { ...tcp, handler: "pipelined", plugin: "pipelined" };
const udp: Way = { ...tcp, transport: "udp" };
const udpAll: Way = { ...udp, host: "*" };
const unix: Way = { ...tcp, transport: "unix" };
const idle: Way = { kind: "memory", transport: "tcp", handler: "idle", plugin: "idle" };

const row = (
  name: string,
  title: string,
  way: Way,
  shape: Shape,
  target: Case["target"],
): Case => ({ name, title, ...way, shape, target });

const KIB = 1024;

export const CASES: readonly Case[] = [
  row("tcp-64x1", "TCP 64 B, 1 connection", tcp, shape(1, 64), push),
  row("tcp-64x64", "TCP 64 B, 64 connections", tcp, shape(64, 64), push),
  row("tcp-16kx1", "TCP 16 KiB, 1 connection", tcp, shape(1, 16 * KIB), push),
  row("tcp-16kx64", "TCP 16 KiB, 64 connections", tcp, shape(64, 16 * KIB), push),
  row("unix-64x64", "Unix stream 64 B, 64 connections", unix, shape(64, 64), push),
  row("pull-64x64", "pull form: TCP 64 B, 64 connections", pulled, shape(64, 64), pull),
  row("pull-16kx64", "pull form: TCP 16 KiB, 64 connections", pulled, shape(64, 16 * KIB), pull),
  row("pipelined", "TCP, 16 messages of 64 B at once", pipelined, shape(64, 64, 16), gathered),
  row("udp-16x8", "UDP 64 B, 16 sockets, 8 in flight", udp, shape(16, 64, 8), udpLoad),
  row("udp-1x1", "UDP 64 B, one in flight", udp, shape(1, 64), udpOne),
  row("all-16x8", "UDP on *, 64 B, 16 sockets, 8 in flight", udpAll, shape(16, 64, 8), none),
  row("all-1x1", "UDP on *, 64 B, one in flight", udpAll, shape(1, 64), none),
  row("connect", "TCP connect, echo, close", tcp, shape(32, 64, 1, true), none),
  row("memory", "memory of an idle connection", idle, shape(IDLE, 64), memory),
  row("start", "from the start to ready", { ...tcp, kind: "start" }, shape(0, 64), start),
];
