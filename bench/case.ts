/** What a row of the report is: two servers, what is asked of them, and what has been promised. */
import type { Call } from "./bare/call.ts";
import type { Shape, Target as Where } from "./load/traffic.ts";

export const RUNTIMES = ["node", "deno", "bun", "node24"] as const;
export type RuntimeName = typeof RUNTIMES[number];

/**
 * A promise: at most or at least this ratio, or below it; at most so much more than the base, or in all, in
 * the unit of the case.
 */
export type Target =
  | { readonly atMost: number }
  | { readonly below: number }
  | { readonly atLeast: number }
  | { readonly more: number }
  | { readonly inAll: number };

/** The runtime's own API, as its documentation has it: a script of `bare/`. */
export interface Bare {
  readonly by: "bare";
  readonly handler: Call["handler"];
  /** Without types, as a package has it: they need not be taken out at the start. */
  readonly compiled?: boolean;
}

/** A program of `c/`; `inetd` starts a bare script for each connection. */
export interface InC {
  readonly by: "c";
  readonly program: "echo" | "inetd";
  /** The script is one without types. */
  readonly compiled?: boolean;
}

/** Portico, with one service. */
export interface Portico {
  readonly by: "portico";
  /** As a manifest names it; a path begins with `bench/`. */
  readonly plugin: string;
  /** Where it listens; 127.0.0.1 when silent. */
  readonly host?: string;
  /** What the service has beside plugin and address. Its log is JSON of warnings when silent. */
  readonly service?: Readonly<Record<string, unknown>>;
  /** It has a sink that writes `info` into a file; of HTTP that is an access log, where `request` is named. */
  readonly file?: { readonly events?: readonly string[] };
  /** As `npm run build` makes it, in place of the source. */
  readonly compiled?: boolean;
}

export type Subject = Bare | InC | Portico;

/**
 * What is measured. `speed`: CPU time for each message. `memory`: of a connection that does nothing.
 * `start`: from the start to ready. `rest`: resident memory of a server that does nothing. `latency`: a
 * quantile of the first load's, while the others go on. `pace`: messages a second.
 */
export type Kind = "speed" | "memory" | "start" | "rest" | "latency" | "pace";

/** One row of the report. */
export interface Case {
  readonly name: string;
  readonly title: string;
  readonly kind: Kind;
  readonly transport: Where["transport"];
  /** What Portico is compared with, and Portico. */
  readonly base: Subject;
  readonly portico: Portico;
  /** The load; in `latency` the first is timed, the others are a crowd. */
  readonly shapes: readonly [Shape, ...Shape[]];
  /** Of `latency`. */
  readonly quantile?: "p50" | "p99";
  /** A lap is so many times as long as others. */
  readonly laps?: number;
  /** The server and what it starts may run on every core. */
  readonly anyCore?: boolean;
  /** Where it says something: on all when silent. */
  readonly runtimes?: readonly RuntimeName[];
  /** Only measured when it is named. */
  readonly extra?: boolean;
  readonly target: (runtime: RuntimeName) => Target | undefined;
}
