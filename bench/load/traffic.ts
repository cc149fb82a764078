/** What the load generator is told to do, and what it counts. Both of them: that in C, and that on Bun. */
import { LF } from "../bare/message.ts";

const DOT = 0x2e;

/** Where a server listens. */
export interface Target {
  readonly transport: "tcp" | "udp" | "unix" | "unixgram" | "http";
  readonly port: number;
  readonly path: string;
}

/**
 * How much is in flight. `echo`: each socket sends `depth` messages of `size` bytes, and when all are
 * answered the next. `bulk`: it writes while there is room; a message is a MiB that has come back. `http`: a GET
 * after the other. `connect`: a connection for each message. Datagrams: each has `depth` under way, always.
 */
export interface Shape {
  readonly kind: "echo" | "bulk" | "http" | "connect";
  readonly sockets: number;
  readonly size: number;
  readonly depth: number;
  /** Messages a second of all sockets, due whatever the server does; 0: each as soon as the last is answered. */
  readonly rate: number;
}

/** What the generator is asked; the answer is a {@link Lap}, `{}`, or `{ error }`. */
export type Command =
  | { readonly op: "open"; readonly name: string; readonly target: Target; readonly shape: Shape }
  | {
    readonly op: "run";
    readonly ms: number;
    readonly pids: readonly number[];
    /** All at once; the first is never kept waiting for the others. */
    readonly names: readonly string[];
  }
  | { readonly op: "close"; readonly name: string };

/** What one set of sockets has done in a lap. */
export interface Load {
  readonly messages: number;
  /** Microseconds from when a message was due to its answer; absent where several are under way. */
  readonly p50?: number;
  readonly p99?: number;
  readonly max?: number;
}

/** A lap's result. */
export interface Lap {
  readonly ms: number;
  /** Of the server's processes, nanoseconds. */
  readonly cpu: number;
  readonly loads: readonly Load[];
}

/** A message: two lines, for who reads lines. */
export function message(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size).fill(DOT);
  bytes[size - 1] = bytes[size - Math.floor(size / 2) - 1] = LF;
  return bytes;
}

/** A command as one line, whose words are between tabs: easily read in C. */
export function line(command: Command): string {
  if (command.op === "close") return `close\t${command.name}`;
  if (command.op === "run") {
    return ["run", command.ms, command.pids.join(","), ...command.names].join("\t");
  }
  const { target, shape } = command;
  const { transport } = target;
  const words = { ...target, ...shape, transport: transport === "http" ? "tcp" : transport };
  const pairs = Object.entries(words).map(([name, value]) => `${name}=${value}`);
  return ["open", command.name, ...pairs].join("\t");
}

/** Reads what {@link line} has made. */
export function command(text: string): Command {
  const [op, ...words] = text.split("\t");
  if (op === "run") {
    const [ms = "", pids = "", ...names] = words;
    return { op, ms: Number(ms), pids: pids.split(",").map(Number), names };
  }
  const [name = "", ...pairs] = words;
  if (op !== "open") return { op: "close", name };
  const values = Object.fromEntries(
    pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
  );
  const number = (key: string): number => Number(values[key]);
  return {
    op,
    name,
    target: {
      transport: values["transport"] as Target["transport"],
      port: number("port"),
      path: values["path"] ?? "",
    },
    shape: {
      kind: values["kind"] as Shape["kind"],
      sockets: number("sockets"),
      size: number("size"),
      depth: number("depth"),
      rate: number("rate"),
    },
  };
}
