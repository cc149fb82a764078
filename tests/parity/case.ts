/** What a case is, and where it is run. */
import process from "node:process";
import { resetsUnheard } from "./resets.ts";
import type { Stage } from "./stage.ts";
import {
  hasProcesses,
  lackingFeature,
  lackingStrategy,
  lackingTransport,
  type StrategyName,
} from "./support.ts";

export const TRANSPORTS = ["tcp", "unix", "tls", "udp", "unixgram", "http"] as const;
export type Transport = typeof TRANSPORTS[number];

/** Those of a case that names none: what holds in clear holds by TLS, and a handshake for each row would take its time. */
const SILENT: readonly Transport[] = TRANSPORTS.filter((transport) => transport !== "tls");

export const STREAMS: readonly Transport[] = ["tcp", "unix"];
export const DATAGRAMS: readonly Transport[] = ["udp", "unixgram"];
/** Those that have sessions with hooks around them: a request has neither `setup` nor `finish`. */
export const SESSIONS: readonly Transport[] = [...STREAMS, ...DATAGRAMS];
/** Those whose peers have addresses to tell them apart by. */
export const ADDRESSED: readonly Transport[] = ["tcp", "udp", "http"];

/** How long anything may take that a case waits for, in ms: less makes a run quick in which much fails. */
export const PATIENCE: number = Number(process.env["PARITY_PATIENCE"] ?? 20_000);

/** Whether a run goes over all transports that a case names. */
const WHOLE = process.env["PARITY_WHOLE"] === "1";

/** One rule that holds under every strategy, over every transport that is named. */
export interface Case {
  readonly name: string;
  /** All but `tls` when silent. */
  readonly transports?: readonly Transport[];
  /** What the manifest says of the service; at most one session is served at once, whatever it says. */
  readonly limits?: Readonly<Record<string, unknown>>;
  readonly access?: Readonly<Record<string, unknown>>;
  readonly banner?: unknown;
  readonly proxyProtocol?: Readonly<Record<string, unknown>>;
  /** Which fields its records of sessions have; the usual ones when silent. */
  readonly fields?: readonly string[];
  /** Beside a certificate, which over `tls` it has anyway. */
  readonly tls?: Readonly<Record<string, unknown>>;
  /** With it the service has no endpoint: another one, {@link Stage.front}, leads to it. */
  readonly match?: Front;
  /** It ends the server: it has one of its own, with one service for each transport. */
  readonly alone?: boolean;
  readonly needs?: keyof typeof NEEDS;
  /** Knows nothing of the strategy. */
  readonly run: (stage: Stage) => Promise<void>;
}

/** A service with `match`, in front of the one of a case. */
export interface Front {
  /** 20 s when silent. */
  readonly wait?: string;
  /** Routes, without the service that they lead to: that of the case. */
  readonly routes: readonly Readonly<Record<string, unknown>>[];
  /** Whoever is left is led to it, too. */
  readonly otherwise?: boolean;
  /** What else the manifest says of the one in front. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** What a case may ask for beside sockets; why it is not there, or false. */
const NEEDS = {
  /** Several addresses of one machine. */
  addresses: () => process.platform !== "linux" && "only Linux has all of 127.0.0.0/8",
  /** Peers whom the kernel names: SO_PEERCRED, through FFI. */
  users: () => lackingFeature("descriptors"),
  /** Connections that go from one service to another one. */
  descriptors: () => lackingFeature("descriptors"),
  /** Resets that are heard of while nobody reads: with workers the descriptor is watched. */
  resets: (strategy: StrategyName) =>
    (strategy === "serial" || strategy === "async") && resetsUnheard,
  /** Workers that can be killed from outside. */
  processes: (strategy: StrategyName) =>
    !hasProcesses(strategy) && `${strategy} has no processes of its own`,
} as const;

/** HTTP is served where the sockets are, as yet: under these. */
const HTTP: readonly StrategyName[] = ["serial", "async"];

/** What the transports of a pair differ in is the form of an address, and its file. */
const PAIRS: readonly (readonly Transport[])[] = [STREAMS, DATAGRAMS];

/**
 * Over which a case is run, in the order of the table: over all that it names in a whole run. Else over one of
 * each pair, under `spawn`, which starts a process for each session, over one alone. Which one changes from strategy to
 * strategy and from case to case: so each case meets each strategy, each strategy each transport, and each case each
 * transport, on every runtime.
 */
export function transportsOf(
  { transports = SILENT }: Case,
  strategy: StrategyName,
  at: number,
): Transport[] {
  const all = TRANSPORTS.filter((one) => transports.includes(one));
  if (WHOLE) return all;
  if (strategy === "spawn") {
    const served = all.filter((one) => one !== "http");
    return served.length === 0 ? all : [served[at % served.length]!];
  }
  const left = PAIRS.filter((pair) => pair.every((one) => all.includes(one)))
    .map((pair) => pair[at % pair.length]);
  return all.filter((one) => !left.includes(one));
}

/** Why a case cannot be run here; false when it can. */
export function skips(
  { needs }: Case,
  strategy: StrategyName,
  transport: Transport,
): string | false {
  if (transport === "http" && !HTTP.includes(strategy)) return `${strategy} does not serve http`;
  return lackingStrategy(strategy) || (transport !== "http" && lackingTransport(transport)) ||
    (needs !== undefined && NEEDS[needs](strategy));
}
