import { resolve } from "node:path";
import process from "node:process";
import type { Adapter, OptionName, Support } from "../core/contract.ts";
import type { Transport } from "../core/endpoint.ts";
import { PorticoError } from "../core/errors.ts";
import { expand } from "../manifest/expand.ts";
import { sinkCatalog } from "../sinks/mod.ts";
import { STRATEGIES } from "../strategies/mod.ts";
import { loadAdapter } from "../adapter.ts";
import { lackingGroup } from "../cgroup/probe.ts";
import { columns, print, printJson } from "../terminal/output.ts";
import { protections } from "./protection.ts";
import { runtime, version } from "../daemon/version.ts";

/** Whether something can be had, and why not. */
interface Availability {
  readonly can: boolean;
  readonly reason?: string;
  readonly remedy?: string;
}

/** What a socket option is worth for one transport. */
interface OptionAvailability extends Availability {
  readonly option: string;
  readonly transport: string;
  /** What the system has it at, as text; absent when it cannot be asked. */
  readonly default?: string;
}

type Defaults = Readonly<Partial<Record<OptionName, Readonly<Partial<Record<Transport, string>>>>>>;

/** Tells what this runtime on this machine can do. */
export async function doctor(json: boolean): Promise<number> {
  const adapter = await loadAdapter();
  const { features } = adapter;
  const { transports, abstract, descriptors, endsThreads, packetInfo, resets, processCalls } =
    features;
  const report = {
    version: version(),
    runtime: runtime(),
    platform: `${process.platform} ${process.arch}`,
    transports: availabilities(transports),
    "streams and datagrams": availabilities({
      abstract,
      descriptors,
      endsThreads,
      packetInfo,
      resets,
    }),
    strategies: strategies(adapter),
    "resources of workers": availabilities({
      "nice, ioprio": processCalls,
      "cpu, files, processes, core": processCalls,
      memory: processCalls,
    }),
    "kept by the kernel (cgroup v2)": availabilities({
      "memory, total.memory": lackingGroup("memory") ?? true,
      "total.cpu": lackingGroup("cpu") ?? true,
      "processes, total.processes": lackingGroup("pids") ?? true,
    }),
    deadlines: protections(),
    options: await options(adapter),
  };
  if (json) await printJson(report);
  else {
    const { version, runtime, platform, deadlines, options, ...tables } = report;
    let text = `Portico ${version} on ${runtime}, ${platform}\n`;
    for (const [title, table] of Object.entries(tables)) {
      const rows = Object.entries(table).map(([name, found]) => [name, ...words(found)]);
      text += `\n${title}\n${columns(rows, "  ")}`;
    }
    const protecting = Object.entries(deadlines).map((
      [name, { default: value, against }],
    ) => [name, value, against]);
    text += `\ndeadlines when a manifest is silent\n${columns(protecting, "  ")}`;
    text += `\nsocket options\n${columns([["", "on", "default"], ...optionRows(options)], "  ")}`;
    await print(text);
  }
  return 0;
}

function strategies(adapter: Adapter): Record<string, Availability> {
  // A strategy is asked about a service: the plainest there is, under each of them.
  const services = Object.fromEntries(
    Object.keys(STRATEGIES).map((name) => [
      name,
      { plugin: "echo", listen: "tcp://127.0.0.1:0", concurrency: name },
    ]),
  );
  const source = { file: resolve("portico.json"), value: { services }, locate: () => undefined };
  const plan = expand(source, sinkCatalog);
  return Object.fromEntries(plan.services.map((service) => {
    const { strategy } = service.concurrency;
    return [strategy, availabilityOf(STRATEGIES[strategy].check(service, adapter))];
  }));
}

async function options(adapter: Adapter): Promise<OptionAvailability[]> {
  const { features } = adapter;
  const known = await askDefaults(adapter);
  return (Object.keys(features.options) as OptionName[]).flatMap((option) =>
    (Object.entries(features.options[option]) as [Transport, Support][]).map((
      [transport, support],
    ) => {
      const value = known[option]?.[transport];
      return {
        option,
        transport,
        ...availabilityOf(support),
        ...(value !== undefined && { default: value }),
      };
    })
  );
}

async function askDefaults(adapter: Adapter): Promise<Defaults> {
  try {
    return await adapter.defaults();
  } catch (error) {
    // The table says of each option whether it can be set; what it is at is a bonus.
    if (error instanceof PorticoError) return {};
    throw error;
  }
}

function availabilities(table: Readonly<Record<string, Support>>): Record<string, Availability> {
  return Object.fromEntries(
    Object.entries(table).map(([name, support]) => [name, availabilityOf(support)]),
  );
}

function availabilityOf(support: Support): Availability {
  return support === true ? { can: true } : { can: false, ...support };
}

/** One row for the transports of an option that have the same to say. */
function optionRows(options: readonly OptionAvailability[]): string[][] {
  const rows = new Map<string, string[]>();
  for (const row of options) {
    const cells = [row.can ? row.default ?? "-" : "", ...words(row)];
    const key = JSON.stringify([row.option, ...cells]);
    const same = rows.get(key);
    if (same === undefined) rows.set(key, [row.option, row.transport, ...cells]);
    else same[1] += ` ${row.transport}`;
  }
  return [...rows.values()];
}

function words({ can, reason = "", remedy }: Availability): string[] {
  return [can ? "yes" : "no", remedy === undefined ? reason : `${reason}; ${remedy}`];
}
