/**
 * The load generator: a process of its own, told what to do by lines of JSON on stdin. It runs on Bun,
 * whose sockets are the cheapest of the three: the client must not be what limits the server.
 *
 * The server's CPU time is read here, with nothing under way before and after a lap, so that it and
 * the count of messages belong together exactly.
 */
import { createInterface } from "node:readline";
import process from "node:process";
import { DatagramTraffic } from "./load/datagram.ts";
import { ReconnectTraffic } from "./load/reconnect.ts";
import { StreamTraffic } from "./load/stream.ts";
import type { Shape, Target, Traffic } from "./load/traffic.ts";
import { cpu } from "./measure.ts";

/** What the generator is asked; the answer is a {@link Lap}, `{}`, or `{ error }`. */
export type Command =
  | { readonly op: "open"; readonly name: string; readonly target: Target; readonly shape: Shape }
  | {
    readonly op: "run";
    readonly name: string;
    readonly ms: number;
    readonly pids: readonly number[];
  }
  | { readonly op: "close"; readonly name: string };

/** A lap's result. */
export interface Lap {
  readonly messages: number;
  readonly ms: number;
  /** Of the server's processes, nanoseconds. */
  readonly cpu: number;
}

/** What a server still does after its last answer belongs to the lap. */
const SETTLE = 10;

const open = new Map<string, Traffic>();
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function traffic(target: Target, shape: Shape): Traffic {
  if (target.transport === "udp") return new DatagramTraffic(target, shape);
  return shape.reconnect ? new ReconnectTraffic(target, shape) : new StreamTraffic(target, shape);
}

async function obey(command: Command): Promise<Lap | Record<string, never>> {
  if (command.op === "open") {
    const made = traffic(command.target, command.shape);
    open.set(command.name, made);
    await made.open();
    return {};
  }
  const current = open.get(command.name);
  if (current === undefined) throw new Error(`${command.name} is not open`);
  if (command.op === "close") {
    current.close();
    open.delete(command.name);
    return {};
  }
  await pause(SETTLE);
  const used = (): number => command.pids.reduce((sum, pid) => sum + cpu(pid), 0);
  const before = used();
  const count = await current.run(command.ms);
  await pause(SETTLE);
  return { ...count, cpu: used() - before };
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer: unknown;
  try {
    answer = await obey(JSON.parse(line) as Command);
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
// Its connections would keep it alive when the harness has gone.
process.exit(0);
