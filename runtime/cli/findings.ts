/** What a manifest needs of this machine, and what stands in its way. */
import { accessSync, constants, existsSync, lstatSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { describeIdle, idleRules } from "../core/access/explain.ts";
import { type Adapter, type Lack, missing, type Support } from "../core/contract.ts";
import { messageOf, PorticoError } from "../core/errors.ts";
import type { Identity, ListenPlan, ProcessPlan, ServicePlan, SinkPlan } from "../core/plan.ts";
import { describeScope } from "../core/scope.ts";
import { API } from "../core/plugin.ts";
import { describeKeeping, lackingGroup } from "../cgroup/probe.ts";
import { packageOf } from "../modules/package.ts";
import { resolveIdentity } from "../identity/mod.ts";
import { listenPath } from "../manifest/listen.ts";
import type { PreparedService } from "../manifest/prepare.ts";
import { pathOf } from "../manifest/sinks.ts";
import { describeHolder, type Holder, holderOf } from "../probe/holder.ts";
import { hasAddress, mayBecome, mayBind } from "../probe/rights.ts";
import { idleResources, lackingResources } from "../probe/resources.ts";
import { probeSink } from "../sinks/mod.ts";
import { banFindings } from "./ban-findings.ts";
import { STRATEGIES } from "../strategies/mod.ts";
import type { Path } from "../values/problem.ts";
import { protectionFindings } from "./protection.ts";
import { tlsFindings } from "./tls-findings.ts";

/** One thing that is needed, and what stands in its way; nothing when it can be had. */
export interface Finding {
  readonly what: string;
  readonly lacks: readonly Lack[];
  /** What it means, where that is not plain. */
  readonly note?: string;
  /** Where the manifest asks for it. */
  readonly path?: Path;
}

/** A server of this manifest that runs: what it has is free for it. */
export interface Running {
  readonly pid: number;
}

/** What one service needs. */
export function findingsOf(
  { plan, plugin, options }: PreparedService,
  adapter: Adapter,
  running: Running | undefined,
): Finding[] {
  const { strategy, workers } = plan.concurrency;
  const base = ["services", plan.name];
  return [
    {
      what: `strategy ${strategy}`,
      lacks: toLacks(STRATEGIES[strategy].check(plan, adapter)),
      note: describeScope(strategy, workers),
      path: [...base, "concurrency"],
    },
    ...packageFindings(plan.plugin.url, [...base, "plugin"]),
    ...probePlugin(() => plugin.probe?.(options as never, { folder: plan.folder }), base),
    ...identityFindings(plan.processes, base),
    ...resourceFindings(plan.processes, base, running),
    ...plan.log.flatMap((sink) => [
      ...packageFindings(sink.module?.url, pathOf(sink)),
      sinkFinding(sink),
    ]),
    ...accessFindings(plan, base),
    ...banFindings(plan, base),
    ...protectionFindings(plan),
    ...tlsFindings(plan, base, adapter),
    ...plan.listen.map((listen) => listenFinding(listen, plan, adapter, running)),
  ];
}

/** Rules that decide about nobody: that does not keep it from being run. */
function accessFindings({ access }: ServicePlan, base: Path): Finding[] {
  const idle = idleRules(access);
  if (idle.length === 0) return [];
  const [first] = idle;
  const more = idle.length === 1 ? "" : `; and ${idle.length - 1} more: portico explain --who`;
  const { action, text } = first!.rule;
  const note = `${action} ${text} decides about nobody, ${describeIdle(first)}${more}`;
  return [{ what: "access", lacks: [], note, path: [...base, "access"] }];
}

/** Hosts of its rules that have no address here and now: that does not keep it from being run. */
export function nameFindings(
  { name, access }: ServicePlan,
  unknown: ReadonlyMap<string, string>,
): Finding[] {
  const path = ["services", name, "access"];
  const mine = new Set(access.rules.map(({ subject }) => subject));
  return [...unknown].filter(([host]) => mine.has(`host:${host}`))
    .map(([, note]) => ({ what: "access", lacks: [], note, path }));
}

/** The user and the group that a manifest or a service names. */
export function identityFindings({ user, group }: Identity, base: Path): Finding[] {
  if (user === undefined && group === undefined) return [];
  const what = [
    user === undefined ? [] : `user ${user}`,
    group === undefined ? [] : `group ${group}`,
  ]
    .flat().join(", ");
  const path = [...base, user === undefined ? "group" : "user"];
  try {
    const { uid, gid } = resolveIdentity({
      ...(user !== undefined && { user }),
      ...(group !== undefined && { group }),
    })!;
    return [{ what, lacks: toLacks(mayBecome(uid, gid)), path }];
  } catch (error) {
    if (!(error instanceof PorticoError)) return [{ what, lacks: [], note: notAsked(error), path }];
    return [{ what, lacks: [{ reason: error.message }], path }];
  }
}

/** What its processes may use. */
function resourceFindings(
  plan: ProcessPlan,
  base: Path,
  running: Running | undefined,
): Finding[] {
  const { resources } = plan;
  if (resources === undefined) return [];
  const path = [...base, "resources"];
  const { lacks, notes } = describeKeeping(resources, running?.pid);
  const idle = lackingGroup("pids", running?.pid) === undefined ? undefined : idleResources(plan);
  const all = idle === undefined ? notes : [idle, ...notes];
  const finding = { what: "resources", path, ...(all.length > 0 && { note: all.join("; ") }) };
  try {
    return [{ ...finding, lacks: [...lackingResources(resources), ...lacks] }];
  } catch (error) {
    return [{ ...finding, lacks: [], note: notAsked(error) }];
  }
}

/** By which the packages of plugins are found. */
const KEYWORD = "portico-plugin";

/** A package of somebody's: which one, and what it leaves unsaid. That does not keep it from being run. */
function packageFindings(url: string | undefined, path: Path): Finding[] {
  const found = url?.startsWith("file:") ? packageOf(fileURLToPath(url)) : undefined;
  if (found === undefined || found.json.name === "portico") return [];
  const { name, version = "", keywords, portico } = found.json;
  const unsaid = [
    ...(Array.isArray(keywords) && keywords.includes(KEYWORD) ? [] : [`the keyword "${KEYWORD}"`]),
    ...(portico?.api === undefined ? [`"portico": { "api": ${API} }`] : []),
  ];
  const what = `package ${name ?? found.path} ${version}`.trimEnd();
  const note = unsaid.length === 0 ? "" : `its package.json lacks ${unsaid.join(" and ")}`;
  return [{ what, lacks: [], note, path }];
}

/** What a plugin asks this machine itself, as `exec` for its program. */
function probePlugin(probe: () => string | undefined, base: Path): Finding[] {
  try {
    const reason = probe();
    const lacks = reason === undefined ? [] : [{ reason }];
    return lacks.length === 0 ? [] : [{ what: "options", lacks, path: [...base, "options"] }];
  } catch (error) {
    return [{ what: "options", lacks: [{ reason: messageOf(error) }], path: [...base, "options"] }];
  }
}

function sinkFinding(sink: SinkPlan): Finding {
  const what = `sink ${sink.name}`;
  const lacks = toLacks(probeSink(sink));
  const path = pathOf(sink);
  if (sink.optional !== true || lacks.length === 0) return { what, lacks, path };
  return { what, lacks: [], note: `left out: ${lacks.map(describe).join("; ")}`, path };
}

function listenFinding(
  listen: ListenPlan,
  plan: ServicePlan,
  adapter: Adapter,
  running: Running | undefined,
): Finding {
  const { endpoint, options, text } = listen;
  const path = listenPath(listen) ?? ["services", plan.name, "listen"];
  const lacks: Lack[] = missing(adapter.features, endpoint, options).map((
    { what, reason, remedy },
  ) => ({
    reason: what === endpoint.transport ? reason : `${what}: ${reason}`,
    ...(remedy !== undefined && { remedy }),
  }));
  if ("path" in endpoint && !endpoint.path.startsWith("@")) {
    lacks.push(...toLacks(socketPlace(endpoint.path)));
  }
  const notes: string[] = [];
  const ask = (what: string, question: () => Support): void => {
    try {
      lacks.push(...toLacks(question()));
    } catch (error) {
      notes.push(`not asked: ${what}: ${messageOf(error).split("\n")[0]}`);
    }
  };
  ask("the address", () => hasAddress(endpoint));
  ask("the permission", () => mayBind(endpoint));
  if (options.reusePort !== true) {
    ask("who listens there", () => {
      const holder = holderOf(endpoint);
      if (holder === undefined) {
        if (isSocketFile(endpoint)) notes.push("a socket is there: the start sees whose it is");
        return true;
      }
      if (!isOurs(holder, running)) return inUse(holder);
      notes.push(`process ${running!.pid}, which runs this manifest, has it`);
      return true;
    });
  }
  return { what: text, lacks, path, ...(notes.length > 0 && { note: notes.join("; ") }) };
}

/** The kernel's table has the name that a socket was bound to, and it may have been renamed since. */
function isSocketFile(endpoint: ListenPlan["endpoint"]): boolean {
  return "path" in endpoint && !endpoint.path.startsWith("@") && existsSync(endpoint.path);
}

/** Its workers may have it, too. */
function isOurs({ pid }: Holder, running: Running | undefined): boolean {
  return running !== undefined && (pid === undefined || pid === running.pid);
}

function inUse(holder: Holder): Lack {
  return {
    reason: `the address is in use: ${describeHolder(holder)} listens there`,
    remedy: "stop it, or take another address",
  };
}

function notAsked(error: unknown): string {
  return `not asked: ${messageOf(error).split("\n")[0]}`;
}

/** A socket file needs a folder that may be written, and takes the place of nothing but a socket. */
export function socketPlace(path: string): Support {
  try {
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (there !== undefined && !there.isSocket()) {
      const what = there.isDirectory() ? "a folder" : "a file that is no socket";
      return { reason: `${path} is ${what}`, remedy: "name a path where nothing is" };
    }
    accessSync(dirname(path), constants.W_OK | constants.X_OK);
    return true;
  } catch (error) {
    return {
      reason: messageOf(error),
      remedy: `make the folder ${dirname(path)}, or let this user write into it`,
    };
  }
}

export function toLacks(support: Support): Lack[] {
  return support === true ? [] : [support];
}

export function describe({ reason, remedy }: Lack): string {
  return remedy === undefined ? reason : `${reason}; ${remedy}`;
}
