/** Servers of the plugins in `tests/protocols/plugins`, and the clients of others that talk to them. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type CommandResult, runToEnd } from "./command.ts";
import { ManagedServer, TCP } from "./managed-server.ts";
import { pathOf, type ProgramName } from "./packages.ts";
import type { Scope } from "./scope.ts";

export const protocolPlugin = (name: string): string =>
  fileURLToPath(new URL(`../protocols/plugins/${name}.ts`, import.meta.url).href);

/** Starts one service, called as its plugin is; `more` is the rest of its entry in the manifest. */
export function serveProtocol(
  scope: Scope,
  name: string,
  strategy: string,
  more: object = {},
): Promise<ManagedServer> {
  const workers = strategy === "threads" || strategy === "processes" ? { workers: 2 } : {};
  const entry = {
    plugin: protocolPlugin(name),
    listen: TCP,
    concurrency: { strategy, ...workers },
    limits: { drain: "10s" },
    ...more,
  };
  return ManagedServer.start(scope, { [name]: entry });
}

/** The port of the one service, as its clients want it. */
export async function portOf(server: ManagedServer, name: string, kind = "tcp"): Promise<string> {
  return (await server.endpoint(name, kind)).replace(/^.*:/, "");
}

/** Runs a client to its end. */
export async function tryClient(
  program: ProgramName,
  ...words: readonly (string | number)[]
): Promise<CommandResult> {
  return await runToEnd([pathOf(program)!, words.map(String)]);
}

/** Runs a client that has to succeed; what it printed. */
export async function client(
  program: ProgramName,
  ...words: readonly (string | number)[]
): Promise<string> {
  const { code, out, err } = await tryClient(program, ...words);
  assert.equal(code, 0, `${program} ${words.join(" ")}: ${out}${err}`);
  return out;
}
