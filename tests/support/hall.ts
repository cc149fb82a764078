/** Services of a manifest, with their plugins, in this process: on the adapter of its runtime. */
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Log } from "../../runtime/core/log.ts";
import type { LogRecord } from "../../runtime/core/record.ts";
import type { Server } from "../../runtime/daemon/server.ts";
import { folder } from "./folder.ts";
import { adapter } from "./room.ts";
import { Watched } from "./watched.ts";
import { startServer } from "./start.ts";
import { expand, prepare } from "./manifest.ts";

/** What a record has to have: equal values, or text that fits a pattern. */
export type Wanted = Readonly<Record<string, unknown>>;

export class Hall extends Watched {
  readonly records: LogRecord[] = [];
  /** Where the manifest would be; relative paths start here. */
  readonly folder: string;
  running!: Server;

  constructor(folder: string) {
    super();
    this.folder = folder;
  }

  protected summary(): string {
    return this.records.slice(-30).map((record) => JSON.stringify(record)).join("\n");
  }

  /** Starts services as a manifest names them. @throws ManifestError, PorticoError. */
  async start(services: Readonly<Record<string, object>>): Promise<void> {
    const file = join(this.folder, "portico.json");
    const source = { file, value: { services }, locate: () => undefined };
    const write = (record: LogRecord): void => {
      this.records.push(record);
      this.changed();
    };
    const log = new Log([{ name: "hall", sink: { write }, level: "debug" }], (_, error) => {
      throw error;
    });
    const prepared = await prepare(expand(source), source);
    this.running = await startServer({
      services: prepared.map((each) => ({ ...each, log })),
      adapter,
    });
  }

  /** What a service really listens on, on one transport. */
  endpoint(service: string, transport: string = "tcp"): string {
    const found = this.running.endpoints.find((each) =>
      each.service === service && each.address.transport === transport
    );
    return String(found!.address);
  }

  live(service: string): number {
    return this.running.status().find((status) => status.service === service)!.live;
  }

  /** All records that fit, so far. */
  all(wanted: Wanted): LogRecord[] {
    return this.records.filter((record) => fits(record, wanted));
  }

  /** Waits until so many records fit. */
  async count(count: number, wanted: Wanted): Promise<LogRecord[]> {
    const what = `${count} records ${JSON.stringify(wanted, show)}`;
    await this.when(what, () => this.all(wanted).length >= count);
    return this.all(wanted);
  }

  /** The first record that fits, of those that have come and those to come. */
  async record(wanted: Wanted): Promise<LogRecord> {
    return (await this.count(1, wanted))[0]!;
  }
}

function fits(record: LogRecord, wanted: Wanted): boolean {
  return Object.entries(wanted).every(([key, value]) =>
    value instanceof RegExp ? value.test(String(record[key])) : record[key] === value
  );
}

function show(_: string, value: unknown): unknown {
  return value instanceof RegExp ? String(value) : value;
}

/** Opens a hall; it is closed when the test is over. */
export async function open(
  t: Pick<TestContext, "after">,
  services: Readonly<Record<string, object>>,
  files: Readonly<Record<string, string>> = {},
): Promise<Hall> {
  const hall = new Hall(folder(t, files));
  await hall.start(services);
  t.after(() => hall.running.kill());
  return hall;
}
