/** Servers in this process, on the adapter of its runtime, with hooks that a test writes. */
import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import type { TestContext } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { loadAdapter } from "../../adapters/mod.ts";
import type {
  Adapter,
  BindableEndpoint,
  DatagramSocket,
  DatagramTable,
} from "../../runtime/core/contract.ts";
import { Address, parseEndpoint } from "../../runtime/core/endpoint.ts";
import { Log } from "../../runtime/core/log.ts";
import type { Hooks } from "../../runtime/core/plugin.ts";
import type { LogRecord } from "../../runtime/core/record.ts";
import type { Server } from "../../runtime/daemon/server.ts";
import { startServer } from "./start.ts";
import { folder } from "./folder.ts";
import { Correspondent, join } from "./peers.ts";
import { Watched } from "./watched.ts";
import { expand } from "./manifest.ts";

export type Transport = "tcp" | "unix" | "udp" | "unixgram";

export const adapter: Adapter = await loadAdapter();

/** Why a transport cannot be had here; false when it can. */
export function lacking(transport: Transport): string | false {
  const support = adapter.features.transports[transport];
  return support === true ? false : support.reason;
}

/** A place that is free: port 0, or a path in a folder of its own. */
export function place(t: TestContext, transport: Transport): string {
  return transport.startsWith("unix")
    ? `${transport}:${resolve(folder(t, {}), "a.sock")}`
    : `${transport}://127.0.0.1:0`;
}

/** One service that runs, with all its records. */
export class Room extends Watched {
  readonly records: LogRecord[] = [];
  running!: Server;

  protected summary(): string {
    return this.records.map((record) => JSON.stringify(record)).join("\n");
  }

  /** What it really listens on. */
  get endpoint(): string {
    return String(this.running.endpoints[0]!.address);
  }

  get live(): number {
    return this.running.status()[0]!.live;
  }

  of(event: string): LogRecord[] {
    return this.records.filter((record) => record.event === event);
  }

  /** Waits until there are so many records of this event. */
  async count(count: number, event: string): Promise<LogRecord[]> {
    await this.when(`${count} records ${event}`, () => this.of(event).length >= count);
    return this.of(event);
  }

  /** @param service what a manifest says of it, beside the plugin. */
  async start(hooks: Hooks<unknown>, service: { readonly listen: string }): Promise<void> {
    const { services } = expand({
      file: "/portico.json",
      value: { services: { room: { plugin: "echo", ...service } } },
      locate: () => undefined,
    });
    const write = (record: LogRecord): void => {
      this.records.push(record);
      this.changed();
    };
    const log = new Log([{ name: "room", sink: { write }, level: "debug" }], (_, error) => {
      throw error;
    });
    const plugin = {
      name: "room",
      transports: ["stream", "datagram"],
      start: () => hooks,
    } as const;
    this.running = await startServer({
      services: [{ plan: services[0]!, plugin, options: {}, log }],
      adapter,
    });
  }
}

/** Opens a room; it is closed when the test is over. */
export async function open(
  t: TestContext,
  hooks: Hooks<never>,
  service: { readonly listen: string } & Readonly<Record<string, unknown>>,
): Promise<Room> {
  const room = new Room();
  await room.start(hooks as Hooks<unknown>, service);
  t.after(() => room.running.kill());
  return room;
}

class UnixSender extends Correspondent {
  socket!: DatagramSocket;
  readonly table: DatagramTable = {
    datagram: (_, bytes) => this.take(bytes),
    failure: (_, error) => {
      throw error;
    },
  };

  send(bytes: Uint8Array | string, endpoint: string): void {
    const { path } = parseEndpoint(endpoint) as { path: string };
    const data = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    this.socket.send(data, new Address("unixgram", "", 0, path));
  }
}

/** Somebody with an address of its own, who is gone when the test is over. */
export async function correspondent(t: TestContext, transport: Transport): Promise<Correspondent> {
  if (transport === "udp") return await join(t);
  const sender = new UnixSender();
  const endpoint = parseEndpoint(place(t, transport)) as BindableEndpoint;
  sender.socket = await adapter.bind(endpoint, sender.table, {});
  t.after(() => sender.socket.close());
  return sender;
}

/** How many file descriptors this process has. */
export function countDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Has the collector run. */
export function collect(): void {
  const { Bun } = globalThis as { Bun?: { gc(force: boolean): void } };
  if (Bun !== undefined) return Bun.gc(true);
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
}
