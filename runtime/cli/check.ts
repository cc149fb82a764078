import { matchFindings } from "./match-findings.ts";
import { basename } from "node:path";
import { ask } from "../control/client.ts";
import { findByManifest } from "../control/servers.ts";
import type { Adapter } from "../core/contract.ts";
import type { Plan } from "../core/plan.ts";
import { expand } from "../manifest/expand.ts";
import { prepare } from "../manifest/prepare.ts";
import type { Source } from "../manifest/source.ts";
import type { ServerStatus } from "../services/status.ts";
import { sinkCatalog } from "../sinks/mod.ts";
import { checkDescriptors } from "../strategies/descriptors.ts";
import { loadAdapter } from "../adapter.ts";
import { readerOf } from "./one-service.ts";
import { unknownHosts } from "./name-rules.ts";
import { printPermissions } from "./permissions.ts";
import {
  describe,
  type Finding,
  findingsOf,
  identityFindings,
  nameFindings,
  type Running,
  socketPlace,
  toLacks,
} from "./findings.ts";
import type { CallOf } from "../terminal/commands.ts";
import { columns, print, printJson } from "../terminal/output.ts";
import { formatPath, type Problem } from "../values/problem.ts";

/** How long a server that runs already may take to say so, in ms. */
const PATIENCE = 2000;

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
  const [adapter, prepared] = await Promise.all([
    loadAdapter(),
    // What does not run has to be right all the same.
    prepare({ ...plan, services: [...plan.services, ...plan.disabled] }, source, sinkCatalog),
  ]);
  const [running, unknown] = await Promise.all([
    findRunning(plan, adapter),
    unknownHosts(plan, adapter),
  ]);
  const services = prepared.map((service) => ({
    service: service.plan.name,
    plugin: service.plan.plugin.specifier,
    findings: plan.services.some(({ name }) => name === service.plan.name)
      ? [
        ...findingsOf(service, adapter, running),
        ...matchFindings(service.plan, plan.services),
        ...nameFindings(service.plan, unknown),
      ]
      : [DISABLED],
  }));
  const descriptors = toLacks(checkDescriptors(plan.services, adapter));
  if (descriptors.length > 0) {
    services[0]?.findings.push({ what: "file descriptors", lacks: descriptors });
  }
  const own: Finding[] = [
    ...typeof plan.control === "string"
      ? [{
        what: `unix:${plan.control}`,
        lacks: toLacks(socketPlace(plan.control)),
        path: ["control"],
      }]
      : [],
    ...identityFindings(plan.identity, []),
  ];
  const server = own.filter(({ lacks }) => lacks.length > 0);
  const ok = server.length === 0 &&
    services.every(({ findings }) => findings.every(({ lacks }) => lacks.length === 0));
  const report = new Report(source);
  if (json) {
    const control = server.find(isControl);
    const identity = server.find((finding) => !isControl(finding));
    await printJson({
      ok,
      file: plan.file,
      ...(running !== undefined && { running: running.pid }),
      ...(control !== undefined && { control: report.json(control) }),
      ...(identity !== undefined && { identity: report.json(identity) }),
      services: services.map((one) => ({
        ...one,
        findings: one.findings.map((finding) => report.json(finding)),
      })),
    });
  } else {
    const rows = [
      ...server.map((finding) =>
        report.row("", isControl(finding) ? "control" : "identity", finding)
      ),
      ...services.flatMap(({ service, plugin, findings }) =>
        findings.map((finding) => report.row(service, `plugin ${plugin}`, finding))
      ),
    ];
    await print(columns(rows));
  }
  return ok ? 0 : 2;
}

/** What there is to say of a service that does not run. */
const DISABLED: Finding = { what: "disabled", lacks: [], note: "it does not run" };

function isControl({ path }: Finding): boolean {
  return path?.[0] === "control";
}

/** Findings as they are printed, with the places in the manifest of those that lack something. */
class Report {
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  json({ path, ...finding }: Finding): object {
    if (finding.lacks.length === 0 || path === undefined) return finding;
    const { file } = this.#source;
    return { ...finding, path: formatPath(path), file, ...this.#source.locate(path, "value") };
  }

  row(service: string, whose: string, { what, lacks, note = "", path }: Finding): string[] {
    if (lacks.length === 0) return ["ok", service, whose, what, note];
    const reasons = lacks.map(describe).join("; ");
    if (path === undefined) return ["no", service, whose, what, reasons];
    const { file } = this.#source;
    const position: Partial<Problem> = { file, ...this.#source.locate(path, "value") };
    const place = [basename(position.file!), position.line, position.column]
      .filter((part) => part !== undefined).join(":");
    return ["no", service, whose, what, `${reasons} (${place} ${formatPath(path)})`];
  }
}

/** The server of this manifest that runs already; undefined when there is none that answers. */
async function findRunning(plan: Plan, adapter: Adapter): Promise<Running | undefined> {
  try {
    const found = await findByManifest(adapter, [plan.file]);
    for (const { status } of found) if ("pid" in status) return { pid: status.pid };
    if (typeof plan.control !== "string") return undefined;
    const asked = ask(adapter, plan.control, { command: "status" }, { patience: PATIENCE });
    const { pid, manifest } = await asked as ServerStatus;
    return manifest === plan.file ? { pid } : undefined;
  } catch {
    // Nobody is there; or Deno may not ask who this user is, by whom servers are found.
    return undefined;
  }
}
