/** One service in this process on the memory adapter, with its peers. */
import type { MemoryDatagrams, MemoryPeer } from "../../adapters/memory/mod.ts";
import { MemoryAdapter } from "../../adapters/memory/mod.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import type { Host } from "../../runtime/services/contract.ts";
import type { Hooks, Plugin } from "../../runtime/core/plugin.ts";
import { InProcessServer, readyService, type Settings } from "./in-process.ts";
import type { Scope } from "./scope.ts";

/** Who sends datagrams. */
export const PEER: Address = new Address("udp", "192.0.2.7", 5353, "");

export class InMemoryServer extends InProcessServer<MemoryAdapter> {
  get address(): Address {
    return this.running.endpoints[0]!.address;
  }

  get datagrams(): MemoryDatagrams {
    const { address } = this.running.endpoints.at(-1)!;
    return this.adapter.socket(address);
  }

  /** A peer; from an address of its own when none is given. */
  connect(host?: string): MemoryPeer {
    const from = host === undefined ? undefined : new Address("tcp", host, 1234, "");
    return this.adapter.peer(this.address, from);
  }

  /** Sends a datagram; its answers are in {@link answers}. */
  send(text: string | Uint8Array, from: Address = PEER): void {
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    this.datagrams.deliver(bytes, from);
  }

  answers(from: Address = PEER): string[] {
    const sent = this.datagrams.sent.get(String(from)) ?? [];
    return sent.map((bytes) => new TextDecoder().decode(bytes));
  }

  /** The events of sessions, in order, without those of the server. */
  get sessionEvents(): string[] {
    return this.records.filter(({ session }) => session !== undefined).map(({ event }) => event);
  }
}

/** Starts a service of a plugin or hooks; it is killed when `scope` is over. */
export async function startInMemory(
  scope: Scope,
  plugin: Hooks<never> | Plugin<never, never>,
  settings: Settings = {},
  host: Partial<Host> = {},
): Promise<InMemoryServer> {
  const server = new InMemoryServer(new MemoryAdapter());
  const listen = settings.listen ?? ["tcp://127.0.0.1:7", "udp://127.0.0.1:7"];
  const log = server.log(settings.level, () => {});
  const services = [readyService(plugin, log, { ...settings, listen })];
  return await server.start(scope, services, host);
}
