/** What Deno has to be allowed for a manifest: `portico check --permissions`. */
import type { Plan, ServicePlan } from "../core/plan.ts";
import { print, printJson } from "../terminal/output.ts";

/** Permissions by their names, each with what asks for it. */
type Needs = Map<string, Set<string>>;

/** What the plugins need that come along; what others do is theirs to say. */
const PLUGINS: Readonly<Record<string, readonly string[]>> = {
  exec: ["sys", "ffi", "run"],
};

/** The same of sinks, beside the network. */
const SINKS: Readonly<Record<string, readonly string[]>> = {
  file: ["write"],
  syslog: ["sys", "write", "ffi"],
  journald: ["sys", "write", "ffi"],
};

/** Unstable features: options of datagrams, and requests whose signal aborts when the peer leaves. */
const UNSTABLE = ["--unstable-net", "--unstable-no-legacy-abort"];

/**
 * Prints the flags in one line, to be put behind `deno run`. None is narrowed to names: a worker has
 * to be given what its server has, and Deno does not tell.
 *
 * @returns 0.
 */
export async function printPermissions(plan: Plan, json: boolean): Promise<number> {
  const needs = needsOf(plan);
  const flags = [...[...needs.keys()].map((name) => `--allow-${name}`), ...UNSTABLE];
  if (json) {
    const why = Object.fromEntries([...needs].map(([name, of]) => [name, [...of]]));
    await printJson({ flags, why });
  } else await print(`${flags.join(" ")}\n`);
  return 0;
}

function needsOf(plan: Plan): Needs {
  const needs: Needs = new Map();
  const need = (what: string, ...names: readonly string[]): void => {
    for (const name of names) needs.set(name, (needs.get(name) ?? new Set()).add(what));
  };
  need("portico", "read", "env", "net");
  if (plan.control !== false) need("control", "write", "sys");
  if (plan.identity.user !== undefined || plan.identity.group !== undefined) {
    need("user", "sys", "ffi");
  }
  if (plan.bans.file !== undefined) need("bans", "write");
  if (plan.umask !== undefined) need("umask", "sys", "ffi");
  for (const service of plan.services) needOf(service, (...names) => need(service.name, ...names));
  return needs;
}

function needOf(service: ServicePlan, need: (...names: readonly string[]) => void): void {
  const { strategy } = service.concurrency;
  if (strategy !== "serial" && strategy !== "async") need("ffi");
  if (strategy === "processes" || strategy === "spawn") need("run");
  const { env: _, ...identity } = service.processes;
  if (Object.keys(identity).length > 0) need("sys", "ffi");
  need(...PLUGINS[service.plugin.specifier] ?? []);
  for (const { type } of service.log) need(...SINKS[type] ?? []);
  for (const { endpoint, options } of service.listen) {
    if ("path" in endpoint) need("write");
    // What Deno's own sockets cannot be told goes by way of the system's library.
    const own = "host" in endpoint || endpoint.transport === "unix";
    if (!own || Object.keys(options).length > 0) need("ffi");
  }
}
