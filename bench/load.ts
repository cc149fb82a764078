/**
 * The load generator where there is no C compiler for `c/load`: a process of its own, told what to do by
 * the same lines on stdin. It runs on Bun, whose sockets are the cheapest of the three. It knows echo, of
 * streams and UDP, and connections that come and go; one load at a time.
 *
 * The server's CPU time is read here, with nothing under way before and after a lap, so that it and
 * the count of messages belong together exactly.
 */
import { createInterface } from "node:readline";
import process from "node:process";
import { DatagramTraffic } from "./load/datagram.ts";
import type { Traffic } from "./load/lap.ts";
import { ReconnectTraffic } from "./load/reconnect.ts";
import { StreamTraffic } from "./load/stream.ts";
import { type Command, command, type Lap, type Shape, type Target } from "./load/traffic.ts";
import { cpu } from "./measure.ts";

/** What a server still does after its last answer belongs to the lap. */
const SETTLE = 10;

const open = new Map<string, Traffic>();
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function traffic(target: Target, shape: Shape): Traffic {
  if (target.transport === "udp") return new DatagramTraffic(target, shape);
  if (shape.kind === "connect") return new ReconnectTraffic(target, shape);
  return new StreamTraffic(target, shape);
}

function find(name: string): Traffic {
  const found = open.get(name);
  if (found === undefined) throw new Error(`${name} is not open`);
  return found;
}

async function obey(wanted: Command): Promise<Lap | Record<string, never>> {
  if (wanted.op === "open") {
    const made = traffic(wanted.target, wanted.shape);
    open.set(wanted.name, made);
    await made.open();
    return {};
  }
  if (wanted.op === "close") {
    find(wanted.name).close();
    open.delete(wanted.name);
    return {};
  }
  const current = find(wanted.names[0] ?? "");
  await pause(SETTLE);
  const used = (): number => wanted.pids.reduce((sum, pid) => sum + cpu(pid), 0);
  const before = used();
  const { ms, messages } = await current.run(wanted.ms);
  await pause(SETTLE);
  return { ms, cpu: used() - before, loads: [{ messages }] };
}

for await (const text of createInterface({ input: process.stdin })) {
  let answer: unknown;
  try {
    answer = await obey(command(text));
  } catch (error) {
    answer = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
// Its connections would keep it alive when the harness has gone.
process.exit(0);
