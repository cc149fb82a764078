/** One service on the memory adapter, with everything that it says. */
import type { TestContext } from "node:test";
import type { MemoryDatagrams, MemoryPeer } from "../../adapters/memory/mod.ts";
import { MemoryAdapter } from "../../adapters/memory/mod.ts";
import { Address, parseEndpoint } from "../../runtime/core/endpoint.ts";
import { Log } from "../../runtime/core/log.ts";
import type { Access, Concurrency, Limits } from "../../runtime/core/plan.ts";
import type { Hooks, Plugin } from "../../runtime/core/plugin.ts";
import type { Level, LogRecord } from "../../runtime/core/record.ts";
import type { Server } from "../../runtime/daemon/server.ts";
import { startServer } from "./start.ts";
import { turns, until, within } from "./until.ts";

/** Nothing is limited. */
export const UNLIMITED: Limits = {
  sessions: Infinity,
  perSource: Infinity,
  rate: { count: Infinity, per: 1000 },
  idle: Infinity,
  firstByte: Infinity,
  lifetime: Infinity,
  hold: Infinity,
  writeBuffer: 1024 * 1024,
  overflow: "refuse",
  drain: 1000,
  start: 1000,
  stall: Infinity,
};

export interface Settings {
  readonly limits?: Partial<Limits>;
  readonly access?: Partial<Access>;
  readonly concurrency?: Partial<Concurrency>;
  readonly level?: Level;
  readonly listen?: readonly string[];
  readonly options?: unknown;
}

/** A plugin of these hooks, for streams and datagrams. */
export function pluginOf(hooks: Hooks<never>): Plugin {
  return { name: "tested", transports: ["stream", "datagram"], start: () => hooks as Hooks };
}

export class Stage {
  readonly adapter: MemoryAdapter;
  readonly records: LogRecord[];
  readonly running: Server;

  constructor(adapter: MemoryAdapter, records: LogRecord[], running: Server) {
    this.adapter = adapter;
    this.records = records;
    this.running = running;
  }

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

  /** The records of one event, in order. */
  of(event: string): LogRecord[] {
    return this.records.filter((record) => record.event === event);
  }

  /** The events of sessions, in order, without those of the server. */
  get story(): string[] {
    return this.records.filter(({ session }) => session !== undefined).map(({ event }) => event);
  }

  /** The record number `count` of an event, when it is there. */
  async record(event: string, count = 1): Promise<LogRecord> {
    await until(
      () => `${event} record ${count}; there are ${this.records.map((each) => each.event)}`,
      () => this.of(event).length >= count,
    );
    return this.of(event)[count - 1]!;
  }

  settle(): Promise<void> {
    return turns();
  }
}

/** Who sends datagrams. */
export const PEER: Address = new Address("udp", "192.0.2.7", 5353, "");

/** Starts a service of these hooks; it is stopped when the test is over. */
export async function stage(
  t: TestContext,
  plugin: Hooks<never> | Plugin<never, never>,
  settings: Settings = {},
): Promise<Stage> {
  const adapter = new MemoryAdapter();
  const records: LogRecord[] = [];
  const { level = "debug", listen = ["tcp://127.0.0.1:7", "udp://127.0.0.1:7"] } = settings;
  const sink = { write: (record: LogRecord) => void records.push(record) };
  const running = await startServer({
    adapter,
    services: [{
      plan: {
        name: "tested",
        plugin: { specifier: "tested", url: "memory:" },
        admin: false,
        listen: listen.map((text) => ({ text, endpoint: parseEndpoint(text), options: {} })),
        concurrency: { strategy: "async", max: Infinity, workers: 1, ...settings.concurrency },
        log: [],
        options: settings.options,
        limits: { ...UNLIMITED, ...settings.limits },
        access: { allow: [], deny: [], ...settings.access },
        processes: { env: {} },
        folder: ".",
      },
      plugin: "start" in plugin ? plugin as unknown as Plugin : pluginOf(plugin),
      options: settings.options ?? {},
      log: new Log([{ name: "list", sink, level }], () => {}),
    }],
  });
  t.after(() => within("the end of the service", running.kill()));
  return new Stage(adapter, records, running);
}

/** A promise, and what settles it. */
export function gate(): { readonly passed: Promise<void>; open(): void; fail(error: Error): void } {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  return { passed: promise, open: resolve, fail: reject };
}
