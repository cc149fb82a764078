/** Services of the plugin `probe`, which tells where it is served, and does what it is told. */
import assert from "node:assert/strict";
import type { StreamClient } from "./peers.ts";
import { children, gone } from "./proc.ts";
import { manifest, pluginPath, type ServerProcess } from "./server-process.ts";
import type { StrategyName } from "./strategies.ts";

/** A service of the probe on a free port, that does what it is told line by line. */
export function probe(
  concurrency: string | object,
  options: object = {},
  more: object = {},
): Record<string, unknown> {
  return {
    plugin: pluginPath("probe"),
    listen: "tcp://127.0.0.1:0",
    concurrency,
    options: { form: "commands", ...options },
    ...more,
  };
}

/** A manifest as a file, with a control socket beside it. */
export function controlled(
  services: Readonly<Record<string, object>>,
  top: object = {},
): { "portico.json": string } {
  const control = { control: "unix:./control.sock", ...top };
  return { "portico.json": JSON.stringify({ ...JSON.parse(manifest(services)), ...control }) };
}

/** Says a line, and waits for the line that answers it. */
export async function ask(peer: StreamClient, line: string): Promise<string> {
  const before = peer.text.split("\n").length;
  peer.send(`${line}\n`);
  await peer.when(`an answer to ${line}`, () => peer.text.split("\n").length > before);
  return peer.text.split("\n")[before - 1]!;
}

/** Where a session is served. */
export interface Whereabouts {
  /** Process and thread. */
  readonly place: string;
  readonly pid: number;
  readonly id: number;
}

export function whereabouts(answer: string): Whereabouts {
  const found = /^((\d+)\.\d+) (\d+)$/.exec(answer);
  assert.ok(found, answer);
  return { place: found[1]!, pid: Number(found[2]), id: Number(found[3]) };
}

export async function who(peer: StreamClient): Promise<Whereabouts> {
  return whereabouts(await ask(peer, "who"));
}

/** A strategy of workers, with two of them; spawn with as many as there are sessions, up to four. */
export function twoWorkers(strategy: StrategyName): object {
  return strategy === "spawn" ? { strategy, max: 4 } : { strategy, workers: 2 };
}

/** Stops a server in order, and sees that its workers are gone. */
export async function stopWithWorkers(server: ServerProcess): Promise<void> {
  const workers = children(server.pid);
  await server.stop();
  await gone(workers);
}
