/** Certificates of a service, read as its start would: what is wrong with them, and which end soon. */
import { statSync } from "node:fs";
import { type Clock, SYSTEM_CLOCK } from "../core/clock.ts";
import type { Adapter, Support } from "../core/contract.ts";
import { kindOf } from "../core/endpoint.ts";
import { PorticoError } from "../core/errors.ts";
import type { ServicePlan, TlsPlan } from "../core/plan.ts";
import type { TlsFeatures } from "../core/tls.ts";
import { isInherited } from "../manifest/inherited.ts";
import { TICKETS } from "../manifest/tls.ts";
import { endsSoon } from "../services/tls/expiry.ts";
import { TlsFileReader } from "../services/tls/files.ts";
import { HeldCertificates } from "../services/tls/held.ts";
import { type Pair, timeOf } from "../services/tls/pair.ts";
import type { Path } from "../values/problem.ts";
import type { Finding } from "./findings.ts";
import { isPublic } from "./protection.ts";

/** @param clock whose time of day certificates are held against. */
export function tlsFindings(
  plan: ServicePlan,
  base: Path,
  { features }: Pick<Adapter, "features">,
  clock: Clock = SYSTEM_CLOCK,
): Finding[] {
  const plans = new Map(
    [plan.tls, ...plan.listen.map(({ tls }) => tls)].filter((tls) => tls !== undefined)
      .map((tls) => [JSON.stringify(tls), tls]),
  );
  const path = [...base, "tls"];
  const findings = [...plans.values()].flatMap((tls) => [
    ...tls.certificates === "self-signed" ? selfSigned(plan, tls) : read(tls, clock),
    ...idle(plan, tls),
    ...unsupported(tls, features.tls),
  ]);
  const begins = plan.reached || plan.listen.some(({ tls }) => tls !== undefined);
  if (plan.tlsOfDefaults && !begins) {
    // Whatever is wrong with it keeps the service from being started all the same.
    return findings.filter(({ lacks }) => lacks.length > 0).map((each) => ({ ...each, path }));
  }
  if (plan.tls !== undefined && !begins) {
    const note =
      'no endpoint begins with it: only startTls() of the plugin does; tls://, or "tls": true beside an endpoint, begins at once';
    findings.push({ what: "tls", lacks: [], note });
  }
  // Plans that differ in other things may be of the same files.
  const once = new Map(findings.map((finding) => [JSON.stringify(finding), finding]));
  return [...once.values()].map((finding) => ({ ...finding, path }));
}

/** The certificates of a plan, in files. @throws PorticoError TLS_INVALID. */
export function pairsOf(
  plan: TlsPlan,
  tell: (text: string) => void,
  clock: Clock = SYSTEM_CLOCK,
): readonly Pair[] {
  const input = { plan, clock, made: undefined, ticketKey: undefined };
  const held = new HeldCertificates({
    ...input,
    tell: (_level, _event, { message }) => tell(String(message)),
    reader: new TlsFileReader(),
  });
  held.close();
  return held.pairs;
}

function read(plan: TlsPlan, clock: Clock): Finding[] {
  const findings: Finding[] = [];
  const tell = (note: string) => void findings.push({ what: "tls", lacks: [], note });
  try {
    const pairs = pairsOf(plan, tell, clock);
    findings.push(...pairs.map((pair) => certificate(pair, clock.wall())), ...readable(pairs));
  } catch (error) {
    if (!(error instanceof PorticoError)) throw error;
    const { message: reason, hint: remedy } = error;
    findings.push({ what: "tls", lacks: [{ reason, ...(remedy !== undefined && { remedy }) }] });
  }
  return findings;
}

function certificate(pair: Pair, now: number): Finding {
  const { identity, validTo, files } = pair;
  const names = identity.names.join(", ") || files.cert;
  const note = endsSoon(pair, now) ?? `until ${timeOf(validTo)}`;
  return { what: `certificate of ${names}`, lacks: [], note };
}

function selfSigned({ listen }: ServicePlan, plan: TlsPlan): Finding[] {
  const what = "tls self-signed";
  const place = listen.find(({ endpoint, tls }) => isSame(tls, plan) && isPublic(endpoint));
  const strangers = place === undefined ? "" : `; ${place.text} is a public address`;
  const note = `made at each start, for development: no client trusts it${strangers}`;
  return [{ what, lacks: [], note }];
}

/** The protocols that requests come by. */
const HTTP: readonly string[] = ["h2", "http/1.1", "http/1.0"];

/** What means nothing to anybody. */
function idle({ listen }: ServicePlan, plan: TlsPlan): Finding[] {
  const findings: Finding[] = [];
  if (plan.ca.length > 0 && plan.client === "none") {
    const note = 'ca means nothing: no client is asked for a certificate ("clientCertificate")';
    findings.push({ what: "tls.ca", lacks: [], note });
  }
  const http = listen.some(({ endpoint, tls }) =>
    isSame(tls, plan) && !isInherited(endpoint) && kindOf(endpoint.transport) === "http"
  );
  const unserved = http ? plan.alpn.filter((name) => !HTTP.includes(name)) : [];
  if (unserved.length > 0) {
    const note = `nobody serves ${unserved.join(", ")} here: HTTP is ${
      HTTP.slice(0, 2).join(", ")
    }`;
    findings.push({ what: "tls.alpn", lacks: [], note });
  }
  return findings;
}

function isSame(tls: TlsPlan | undefined, plan: TlsPlan): boolean {
  return JSON.stringify(tls) === JSON.stringify(plan);
}

/** Keys that anybody on this machine can read. */
function readable(pairs: readonly Pair[]): Finding[] {
  return pairs.filter(({ files }) => (statSync(files.key).mode & 0o004) !== 0).map(({ files }) => ({
    what: "tls.key",
    lacks: [],
    note: `${files.key}: everybody on this machine can read this key; chmod 0600`,
  }));
}

/** What a manifest asks for, and this runtime does otherwise: sessions are as safe without it. */
function unsupported(plan: TlsPlan, features: TlsFeatures | undefined): Finding[] {
  if (features === undefined) return [];
  const { certificates } = plan;
  const staples = certificates !== "self-signed" &&
    certificates.some(({ ocsp }) => ocsp !== undefined);
  const asked: readonly (readonly [string, boolean, Support])[] = [
    ["tls.ciphers", plan.ciphers !== undefined, features.ciphers],
    ["tls.ocsp", staples, features.stapling],
    ["tls.sessionTickets", plan.tickets !== TICKETS, features.sessionTimeout],
    ["tls.sessionTickets", plan.tickets !== TICKETS && plan.tickets > 0, features.formerTickets],
  ];
  return asked.flatMap(([what, wanted, support]) =>
    wanted && support !== true
      ? [{ what, lacks: [], note: `${support.reason}; ${support.remedy ?? ""}` }]
      : []
  );
}
