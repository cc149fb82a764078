/** Would this peer be served, and why: asked of the rules and limits of a manifest, as the server asks them. */
import process from "node:process";
import type { AskedPeer } from "../control/policy.ts";
import { describeIdle, type IdleRule, idleRules, type RuleAbout } from "../core/access/explain.ts";
import { readIp } from "../core/ip.ts";
import { sourceOf } from "../core/access/source.ts";
import type { OverflowLimit, OverflowWord } from "../core/admission/overflow.ts";
import { Address, KnownPeer } from "../core/endpoint.ts";
import { PorticoError } from "../core/errors.ts";
import type { AccessRule, Limits, Plan, RuleOptions, ServicePlan } from "../core/plan.ts";
import { expand } from "../manifest/expand.ts";
import { load } from "../manifest/load.ts";
import { sinkCatalog } from "../sinks/mod.ts";
import { judge } from "./name-rules.ts";
import type { CallOf } from "../terminal/commands.ts";
import { chancesOf, fullnessText, type LimitLine, limitLines } from "./explain-live.ts";
import { columns, print, printJson } from "../terminal/output.ts";
import { nearest } from "../values/nearest.ts";
import { renderRows } from "../values/problem.ts";

/**
 * Tells who is served by one service of a manifest, and why.
 *
 * @returns 0, whatever the answer is.
 * @throws ManifestError when the manifest is wrong; PorticoError USAGE when the call is.
 */
export async function explain(call: CallOf<"explain">): Promise<number> {
  const plan = expand(await load(call.path, process.env), sinkCatalog);
  const service = find(plan, call.service);
  return call.who ? await explainAll(service, call.json) : await explainOne(call, plan, service);
}

function find(plan: Plan, name: string): ServicePlan {
  const services = [...plan.services, ...plan.disabled];
  const found = services.find((service) => service.name === name);
  if (found !== undefined) return found;
  const names = services.map((service) => service.name);
  const meant = nearest(name, names);
  throw wrong(
    `the service ${JSON.stringify(name)}`,
    `one of ${names.join(", ")}`,
    meant === undefined ? undefined : `did you mean ${JSON.stringify(meant)}?`,
  );
}

// One peer.

type Answer = "served" | "refused" | "waits";

/** What a limit that is full comes to: for `shed` it is somebody else who has to go. */
const ANSWERS: Readonly<Record<OverflowWord, Answer>> = {
  wait: "waits",
  shed: "served",
  refuse: "refused",
  reset: "refused",
  drop: "refused",
};

async function explainOne(
  call: CallOf<"explain">,
  plan: Plan,
  service: ServicePlan,
): Promise<number> {
  const remote = peerOf(call);
  const wall = timeOf(call.at);
  const count = countOf(call.count);
  const chances = await chancesOf(plan, service.name, askedOf(call));
  const { rules, verdict, names } = await judge(plan, service.access, remote, wall);
  const ban = chances?.ban;
  const banned = ban !== undefined && !(wall >= Date.parse(ban.until ?? ""));
  const limits = limitLines(
    service,
    count,
    sourceOf(remote, service.limits.source) !== "",
    chances,
  );
  const obstacle = verdict.served ? limits.find(({ full }) => full) : undefined;
  const wordOf = (name: string): OverflowWord | undefined =>
    service.limits.overflow[name as OverflowLimit];
  const answer: Answer = banned || !verdict.served
    ? "refused"
    : obstacle === undefined
    ? "served"
    : ANSWERS[wordOf(obstacle.name) ?? "drop"];
  const decides = rules.find(({ rule, holds }) => holds && rule === verdict.rule)?.rule;
  const options = verdict.served ? verdict.rule?.options : undefined;
  // Nobody knows here which certificate it will show.
  const certified = verdict.served
    ? service.access.rules.filter(({ subject }) => subject.startsWith("cert:"))
    : [];
  if (call.json) {
    await printJson({
      service: service.name,
      peer: describePeer(remote),
      ...(names.length > 0 && { names }),
      at: new Date(wall).toISOString(),
      answer,
      ...(banned
        ? { rule: "ban", ban }
        : verdict.served && obstacle !== undefined
        ? { limit: obstacle.name }
        : { rule: verdict.text, ...placeOf(verdict.rule) }),
      ...(options !== undefined && { options }),
      rules: rules.map(({ rule, holds }) => ({
        ...ruleJson(rule),
        holds,
        decides: rule === decides,
      })),
      ...(certified.length > 0 && { certificates: certified.map(ruleJson) }),
      limits: Object.fromEntries(
        limits.map(({ name, full: _, ...rest }) => [
          name,
          { ...rest, ...(wordOf(name) !== undefined && { overflow: wordOf(name) }) },
        ]),
      ),
    });
    return 0;
  }
  const why = banned
    ? [`ban until ${ban.until ?? "it is lifted"}`, ban.cause]
    : obstacle === undefined
    ? [verdict.text, verdict.rule?.place ?? ""]
    : [`limit ${obstacle.name} ${mostText(obstacle)}`, ""];
  const others = rules.filter(({ rule }) => rule !== verdict.rule);
  const peer = [describePeer(remote), ...names].join(" ");
  await print([
    `${peer} at ${new Date(wall).toISOString()}\n`,
    columns([[answer, ...why, optionsText(options)]]),
    ...others.length === 0
      ? []
      : ["also about it:\n", columns(others.map((one) => rowOf(one, decides)), "  ")],
    ...certified.length === 0 ? [] : [
      "when TLS has begun, by its certificate:\n",
      columns(certified.map(({ action, text, place = "" }) => [`${action} ${text}`, place]), "  "),
    ],
    ...limits.length === 0 ? [] : [
      "limits:\n",
      columns(
        limits.map((one) => [
          one.name,
          mostText(one),
          fullnessText(one),
          overflowText(one.name, service.limits),
        ]),
        "  ",
      ),
    ],
  ].join(""));
  return 0;
}

/** What becomes of whoever comes beyond it. */
function overflowText(name: string, { overflow, rest }: Limits): string {
  const word = overflow[name as OverflowLimit];
  if (word === undefined) return name === "max" ? "then they wait" : "";
  return `then ${word}${name === "rate" && rest > 0 ? `, and rest for ${rest / 1000} s` : ""}`;
}

function rowOf({ rule, holds }: RuleAbout, decides: AccessRule | undefined): string[] {
  const why = !holds
    ? `not at this time: only ${rule.times?.join(", ")}`
    : decides === undefined
    ? ""
    : rule.subject.startsWith("domain:")
    ? "a domain: an address, or what is denied, comes first"
    : "larger, or after another about the same";
  return [`${rule.action} ${rule.text}`, rule.place ?? "", why];
}

function mostText({ name, most }: Pick<LimitLine, "name" | "most">): string {
  if (name === "load") return "";
  return typeof most === "number" ? String(most) : `${most.count} in ${most.per / 1000} s`;
}

function peerOf({ from, uid, gid }: CallOf<"explain">): Address {
  if (from !== undefined && (uid ?? gid) !== undefined) {
    throw wrong(
      "--from with --uid or --gid",
      "one of them: a peer has an address, or is a user of this machine",
    );
  }
  if (from !== undefined) {
    if (readIp(from, new Uint32Array(4)) === 0) {
      throw wrong(`--from ${from}`, "an IP address, as 10.1.2.3 or ::1");
    }
    return new Address("tcp", from, 0, "");
  }
  if (uid === undefined) {
    throw wrong("neither --from nor --uid", "--from ADDRESS, --uid N, or --who for all rules");
  }
  const user = numberOf("--uid", uid);
  const credentials = { uid: user, gid: gid === undefined ? user : numberOf("--gid", gid), pid: 0 };
  return new KnownPeer(new Address("unix", "", 0, ""), credentials);
}

/** The same, for a server that runs. */
function askedOf({ from, uid, gid }: CallOf<"explain">): AskedPeer {
  return {
    from,
    ...(uid !== undefined && { uid: Number(uid) }),
    ...(gid !== undefined && { gid: Number(gid) }),
  };
}

function describePeer(remote: Address): string {
  if (!(remote instanceof KnownPeer)) return remote.host;
  const { uid, gid } = remote.credentials;
  return `uid ${uid}, gid ${gid}`;
}

function numberOf(option: string, text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw wrong(`${option} ${text}`, "a whole number, 0 or above");
}

function countOf(text: string | undefined): number {
  const count = text === undefined ? 1 : numberOf("--count", text);
  if (count > 0) return count;
  throw wrong(`--count ${text}`, "a whole number, 1 or above");
}

/** A date and time as ISO 8601 has it, or a time of today; without a zone it is the system's. */
function timeOf(text: string | undefined): number {
  if (text === undefined) return Date.now();
  const today = new Date();
  const clock = /^(\d{2}):(\d{2})$/.exec(text);
  const time = clock === null
    ? Date.parse(text)
    : today.setHours(Number(clock[1]), Number(clock[2]), 0, 0);
  if (Number.isNaN(time) || (clock !== null && (Number(clock[1]) > 23 || Number(clock[2]) > 59))) {
    throw wrong(`--at ${text}`, "a time, as 12:30, 2026-11-27T12:30 or 2026-11-27T12:30:00Z");
  }
  return time;
}

// All rules.

async function explainAll({ name, access }: ServicePlan, json: boolean): Promise<number> {
  const idle = idleRules(access);
  const others = access.others ? "served" : "refused";
  if (json) {
    await printJson({
      service: name,
      rules: access.rules.map((rule) => ({ ...ruleJson(rule), ...idleJson(idle, rule) })),
      others,
    });
    return 0;
  }
  const rows = access.rules.map((rule) => [
    rule.action,
    rule.text,
    [rule.times?.join(", ") ?? "", optionsText(rule.options)].filter(Boolean).join("; "),
    rule.place ?? "",
    describeIdle(idle.find((one) => one.rule === rule)),
  ]);
  await print(columns([...rows, [access.others ? "allow" : "deny", "all others", "", "", ""]]));
  return 0;
}

function idleJson(idle: readonly IdleRule[], rule: AccessRule): object {
  const found = idle.find((one) => one.rule === rule);
  if (found === undefined) return {};
  return { [found.contradicts ? "contradictedBy" : "shadowedBy"]: ruleJson(found.by) };
}

/** As a file of rules has them. */
function optionsText(options: RuleOptions = {}): string {
  return Object.entries(options).map(([name, text]) => `${name}="${text}"`).join(" ");
}

function ruleJson({ action, text, place, times, options }: AccessRule): object {
  return {
    action,
    about: text,
    ...(times !== undefined && { times }),
    ...(options !== undefined && { options }),
    ...(place !== undefined && { place }),
  };
}

function placeOf(rule: AccessRule | undefined): object {
  return rule?.place === undefined ? {} : { place: rule.place };
}

function wrong(received: string, expected: string, hint?: string): PorticoError {
  return new PorticoError(
    "USAGE",
    renderRows({ received, expected, ...(hint !== undefined && { hint }) }),
  );
}
