/** A service with TLS in memory, by a clock that stands still: each step of a handshake can be looked at. */
import type { Hooks } from "../../runtime/core/plugin.ts";
import type { Settings } from "./in-process.ts";
import { type InMemoryServer, startInMemory } from "./in-memory.ts";
import type { Scope } from "./scope.ts";
import { StillClock } from "./still-clock.ts";
import { FixedCertificates, TLS } from "./tls.ts";

/** Sends back what it gets. */
export const ECHO: Hooks = { data: (session, chunk) => void session.write(chunk) };
const EXPECTED = { listen: ["tls://127.0.0.1:7"], tls: TLS } as const;

export interface Started {
  readonly server: InMemoryServer;
  readonly clock: StillClock;
  /** All that was set in motion comes to rest. */
  readonly rest: () => Promise<void>;
}

export async function start(scope: Scope, hooks: Hooks, settings: Settings = {}): Promise<Started> {
  const clock = new StillClock();
  const more = { clock, certificates: new FixedCertificates().read };
  // At the end time passes again: what is left is waited for by this clock, too.
  let passing: ReturnType<typeof setInterval>;
  scope.after(() => void (passing = setInterval(() => clock.move(500), 1)));
  const server = await startInMemory(scope, hooks as never, { ...EXPECTED, ...settings }, more);
  scope.after(() => clearInterval(passing));
  return { server, clock, rest: () => server.adapter.settle() };
}

export async function kill(server: InMemoryServer, clock: StillClock): Promise<void> {
  const passing = setInterval(() => clock.move(500), 1);
  await server.running.kill();
  clearInterval(passing);
}

/** What records say of sessions. */
export function told(server: InMemoryServer): string[] {
  return server.records.filter(({ session }) => session !== undefined).map((record) =>
    [record.event, record["limit"] ?? record["rule"] ?? record["reason"] ?? record["code"]]
      .filter((word) => word !== undefined).join(" ")
  );
}
