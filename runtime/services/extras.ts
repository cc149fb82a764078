/** What few services have, and nobody else loads. */
import { sheds } from "../core/admission/overflow.ts";
import type { Clock } from "../core/clock.ts";
import type { CertificateRules } from "../core/handshake/certificates.ts";
import type { Handshakes } from "../core/handshake/handshakes.ts";
import type { Admission } from "../core/admission/admission.ts";
import { aboutCertificates, aboutNames, type ServicePlan } from "../core/plan.ts";
import { scopeOf } from "../core/scope.ts";
import { kindOf } from "../core/endpoint.ts";
import { PorticoError } from "../core/errors.ts";
import type { Service } from "../core/service.ts";
import type { StreamShedder } from "../core/stream/shedding.ts";
import type { Host, ReadyService } from "./contract.ts";
import type { ServiceInstance } from "./instance.ts";
import type { TlsContexts } from "./tls-contexts.ts";

/** Has the service say what its plan says beside the plugin, to those who come from outside. */
export async function giveBanners(service: Service): Promise<void> {
  if (service.plan.banner === undefined) return;
  const { Banners } = await import("../core/banners.ts");
  service.banners = new Banners(service);
}

/**
 * The handshakes of a service that speaks TLS; undefined for the others.
 *
 * @param tls its contexts.
 */
export async function handshakesOf(
  { tls, limits, concurrency: { strategy, workers } }: ServicePlan,
  contexts: TlsContexts | undefined,
  clock: Clock | undefined,
): Promise<Handshakes | undefined> {
  if (contexts === undefined) return undefined;
  const { Handshakes } = await import("../core/handshake/handshakes.ts");
  const { startAccepted } = await import("../core/handshake/start.ts");
  const shares = scopeOf(strategy) === "worker" ? workers : 1;
  const most = Math.max(1, Math.ceil(limits.handshakes / shares));
  return new Handshakes(most, startAccepted(contexts.of({ tls })), clock);
}

/** What asks for the certificates of peers, where rules of access are about them. */
export async function certificateRulesOf(
  { access }: ServicePlan,
  clock: Clock,
): Promise<CertificateRules | undefined> {
  if (!aboutCertificates(access)) return undefined;
  const { CertificateRules } = await import("../core/handshake/certificates.ts");
  return new CertificateRules(access, clock);
}

/** @throws PorticoError NOT_SUPPORTED: somewhere nobody is asked for one, and whoever is to be let in by it alone would be anybody. */
export function checkCertificateRules({ certificates, hooks, plan }: Service): void {
  if (certificates === undefined) return;
  const unasked = plan.listen.find(({ endpoint, tls }) =>
    "name" in endpoint ? tls === undefined : kindOf(endpoint.transport) === "datagram"
  );
  if (unasked === undefined && hooks.take === undefined) return;
  const where = unasked?.text ?? "a socket that the plugin takes itself (hook take)";
  throw new PorticoError(
    "NOT_SUPPORTED",
    `access has rules about certificates, and nobody shows one at ${where}`,
  );
}

/** Has an admission follow rules about names, and those that end sessions: see `rules.ts`. */
export async function followRules(
  ready: Pick<ReadyService, "plan" | "log">,
  host: Pick<Host, "names" | "clock">,
  admission: Admission,
): Promise<void> {
  const { access } = ready.plan;
  if (!aboutNames(access) && access.rules.every(({ end }) => end !== true)) return;
  await (await import("./rules.ts")).followRules(ready, host, admission);
}

/** Ends the streams of an instance for newcomers; undefined where its plan has nobody end, or a plugin has the sockets. */
export async function shedderOf(
  { service, streams, handoffs }: Pick<ServiceInstance, "service" | "streams" | "handoffs">,
): Promise<StreamShedder | undefined> {
  if (!sheds(service.plan.limits.overflow) || handoffs !== undefined) return undefined;
  const { StreamShedder } = await import("../core/stream/shedding.ts");
  return new StreamShedder(streams);
}
