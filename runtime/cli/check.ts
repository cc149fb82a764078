import { accessSync, constants, lstatSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { type Adapter, type Lack, missing, type Support } from "../core/contract.ts";
import { messageOf } from "../core/errors.ts";
import { API } from "../core/plugin.ts";
import type { ListenPlan, ServicePlan, SinkPlan } from "../core/plan.ts";
import { expand } from "../manifest/expand.ts";
import { prepare } from "../manifest/prepare.ts";
import { packageOf } from "../modules/package.ts";
import { probeSink, sinkCatalog } from "../sinks/mod.ts";
import { checkDescriptors } from "../strategies/descriptors.ts";
import { STRATEGIES } from "../strategies/mod.ts";
import { describeScope } from "../core/scope.ts";
import { loadAdapter } from "../adapter.ts";
import { readerOf } from "./one-service.ts";
import { printPermissions } from "./permissions.ts";
import type { CallOf } from "../terminal/commands.ts";
import { columns, print, printJson } from "../terminal/output.ts";

/** By which the packages of plugins are found. */
const KEYWORD = "portico-plugin";

/** One thing that a service needs, and what stands in its way; nothing when it can be had. */
interface Finding {
  readonly what: string;
  readonly lacks: readonly Lack[];
  /** What it means, where that is not plain. */
  readonly note?: string;
}

/**
 * Checks a manifest, its plugins with their options, and this machine; binds nothing.
 *
 * @returns 0 when it could run, 2 when not.
 * @throws ManifestError when the manifest is wrong.
 */
export async function check(call: CallOf<"check">): Promise<number> {
  const { json, permissions } = call;
  const source = await readerOf(call)();
  const plan = expand(source, sinkCatalog);
  if (permissions) return await printPermissions(plan, json);
  const [adapter] = await Promise.all([loadAdapter(), prepare(plan, source, sinkCatalog)]);
  const services = plan.services.map((service) => ({
    service: service.name,
    plugin: service.plugin.specifier,
    findings: findingsOf(service, adapter),
  }));
  const descriptors = toLacks(checkDescriptors(plan.services, adapter));
  if (descriptors.length > 0) {
    services[0]?.findings.push({ what: "file descriptors", lacks: descriptors });
  }
  const control = typeof plan.control === "string" ? toLacks(socketPlace(plan.control)) : [];
  const ok = control.length === 0 &&
    services.every(({ findings }) => findings.every(({ lacks }) => lacks.length === 0));
  if (json) {
    await printJson({
      ok,
      file: plan.file,
      ...(control.length > 0 && { control: { what: `unix:${plan.control}`, lacks: control } }),
      services,
    });
  } else {
    const rows = services.flatMap(({ service, plugin, findings }) =>
      findings.map(({ what, lacks, note = "" }) => [
        lacks.length === 0 ? "ok" : "no",
        service,
        `plugin ${plugin}`,
        what,
        lacks.length === 0 ? note : lacks.map(describe).join("; "),
      ])
    );
    if (control.length > 0) {
      rows.unshift(["no", "", "control", `unix:${plan.control}`, control.map(describe).join("; ")]);
    }
    await print(columns(rows));
  }
  return ok ? 0 : 2;
}

function findingsOf(plan: ServicePlan, adapter: Adapter): Finding[] {
  const { strategy, workers } = plan.concurrency;
  return [
    ...packageFindings(plan.plugin.url),
    {
      what: `strategy ${strategy}`,
      lacks: toLacks(STRATEGIES[strategy].check(plan, adapter)),
      note: describeScope(strategy, workers),
    },
    ...plan.log.flatMap((sink) => [...packageFindings(sink.module?.url), findingOf(sink)]),
    ...plan.listen.map((listen) => ({ what: listen.text, lacks: lacksOf(listen, adapter) })),
  ];
}

/** A package of somebody's: which one, and what it leaves unsaid. That does not keep it from being run. */
function packageFindings(url: string | undefined): Finding[] {
  const found = url?.startsWith("file:") ? packageOf(fileURLToPath(url)) : undefined;
  if (found === undefined || found.json.name === "portico") return [];
  const { name, version = "", keywords, portico } = found.json;
  const unsaid = [
    ...(Array.isArray(keywords) && keywords.includes(KEYWORD) ? [] : [`the keyword "${KEYWORD}"`]),
    ...(portico?.api === undefined ? [`"portico": { "api": ${API} }`] : []),
  ];
  const note = unsaid.length === 0 ? "" : `its package.json lacks ${unsaid.join(" and ")}`;
  return [{ what: `package ${name ?? found.path} ${version}`.trimEnd(), lacks: [], note }];
}

function findingOf(sink: SinkPlan): Finding {
  const what = `sink ${sink.name}`;
  const lacks = toLacks(probeSink(sink));
  if (sink.optional !== true || lacks.length === 0) return { what, lacks };
  return { what, lacks: [], note: `left out: ${lacks.map(describe).join("; ")}` };
}

function lacksOf({ endpoint, options }: ListenPlan, adapter: Adapter): Lack[] {
  const lacks: Lack[] = missing(adapter.features, endpoint, options).map((
    { what, reason, remedy },
  ) => ({
    reason: what === endpoint.transport ? reason : `${what}: ${reason}`,
    ...(remedy !== undefined && { remedy }),
  }));
  if ("path" in endpoint && !endpoint.path.startsWith("@")) {
    lacks.push(...toLacks(socketPlace(endpoint.path)));
  }
  return lacks;
}

/** A socket file needs a folder that may be written, and takes the place of nothing but a socket. */
function socketPlace(path: string): Support {
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

function toLacks(support: Support): Lack[] {
  return support === true ? [] : [support];
}

function describe({ reason, remedy }: Lack): string {
  return remedy === undefined ? reason : `${reason}; ${remedy}`;
}
