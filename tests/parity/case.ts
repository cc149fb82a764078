/** What a case is, and where it is run. */
import process from "node:process";
import { resetsUnheard } from "./resets.ts";
import type { Stage } from "./stage.ts";
import {
  adapter,
  hasProcesses,
  lackingStrategy,
  lackingTransport,
  STRATEGIES,
  type StrategyName,
} from "./support.ts";

export const TRANSPORTS = ["tcp", "unix", "udp", "unixgram", "http"] as const;
export type Transport = typeof TRANSPORTS[number];

export const STREAMS: readonly Transport[] = ["tcp", "unix"];
export const DATAGRAMS: readonly Transport[] = ["udp", "unixgram"];
/** Those that have sessions with hooks around them: a request has neither `setup` nor `finish`. */
export const SESSIONS: readonly Transport[] = [...STREAMS, ...DATAGRAMS];
/** Those whose peers have addresses to tell them apart by. */
export const ADDRESSED: readonly Transport[] = ["tcp", "udp", "http"];

/** How long anything may take that a case waits for, in ms: less makes a run quick in which much fails. */
export const PATIENCE: number = Number(process.env["PARITY_PATIENCE"] ?? 20_000);

const asked = process.env["PARITY_STRATEGY"]?.split(",");

/**
 * Those that a run is about: those that were asked for, else all. `serial` is `async` with one session at a time, in
 * code that knows no runtime: one of them goes through it.
 */
export const CHOSEN: readonly StrategyName[] = STRATEGIES.filter((strategy) =>
  asked?.includes(strategy) ?? (strategy !== "serial" || adapter.name === "node")
);

/** One rule that holds under every strategy, over every transport that is named. */
export interface Case {
  readonly name: string;
  /** All when silent. */
  readonly transports?: readonly Transport[];
  /** What the manifest says of the service; at most one session is served at once, whatever it says. */
  readonly limits?: Readonly<Record<string, unknown>>;
  readonly access?: Readonly<Record<string, unknown>>;
  readonly banner?: unknown;
  readonly proxyProtocol?: Readonly<Record<string, unknown>>;
  /** It ends the server: it has one of its own, with one service for each transport. */
  readonly alone?: boolean;
  readonly needs?: keyof typeof NEEDS;
  /** Knows nothing of the strategy. */
  readonly run: (stage: Stage) => Promise<void>;
}

/** What a case may ask for beside sockets; why it is not there, or false. */
const NEEDS = {
  /** Several addresses of one machine. */
  addresses: () => process.platform !== "linux" && "only Linux has all of 127.0.0.0/8",
  /** Peers whom the kernel names: SO_PEERCRED, through FFI. */
  users: () => adapter.features.descriptors !== true && adapter.features.descriptors.reason,
  /** Resets that are heard of while nobody reads: with workers the descriptor is watched. */
  resets: (strategy: StrategyName) =>
    (strategy === "serial" || strategy === "async") && resetsUnheard,
  /** Workers that can be killed from outside. */
  processes: (strategy: StrategyName) =>
    !hasProcesses(strategy) && `${strategy} has no processes of its own`,
} as const;

/** HTTP is served where the sockets are, as yet. */
const HTTP: readonly StrategyName[] = ["serial", "async"];

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
