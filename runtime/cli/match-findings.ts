/** Routes by TLS whose service has not what their peers wish: no handshake comes of it, or one with another name. */
import { PorticoError } from "../core/errors.ts";
import type { ServicePlan, TlsPlan } from "../core/plan.ts";
import type { MatchRoute } from "../core/prologue/match-plan.ts";
import { matchName } from "../core/prologue/match.ts";
import { covers } from "../services/tls/held.ts";
import type { Finding } from "./findings.ts";
import { pairsOf } from "./tls-findings.ts";

/** @param plans of all services. */
export function matchFindings(
  { name, match }: ServicePlan,
  plans: readonly ServicePlan[],
): Finding[] {
  return (match?.routes ?? []).flatMap((route) => {
    // Who is passed on as it is has its handshake elsewhere.
    const target = route.tls ? plans.find((plan) => plan.name === route.service)?.tls : undefined;
    if (target === undefined) return [];
    return [unoffered(route, target), uncertified(route, target)].flatMap((note) =>
      note === undefined
        ? []
        : [{ what: `match ${route.text}`, lacks: [], note, path: ["services", name, "match"] }]
    );
  });
}

/** Protocols that peers are led there for, and that are not spoken there. */
function unoffered({ when, service }: MatchRoute, { alpn }: TlsPlan): string | undefined {
  const wished = when.kind === "tls" ? when.alpn ?? [] : [];
  const missing = wished.filter((protocol) => !alpn.includes(protocol));
  if (missing.length === 0) return undefined;
  const list = missing.join(", ");
  const what = alpn.length === 0
    ? `the service ${service} has no "alpn": whoever wishes ${list} is served as one without`
    : `the service ${service} offers ${alpn.join(", ")}: who wishes ${list} alone is refused`;
  return `${what}; say ${list} in "alpn" of its "tls", or lead them elsewhere`;
}

/** Names for which there is no certificate: the default one is shown, which clients that look refuse. */
function uncertified({ when, service }: MatchRoute, tls: TlsPlan): string | undefined {
  const wished = when.kind === "tls" ? when.sni ?? [] : [];
  if (wished.length === 0) return undefined;
  const names = namesOf(tls);
  const missing = wished.filter((wish) => names?.some((name) => isAbout(name, wish)) === false);
  if (missing.length === 0) return undefined;
  return `the service ${service} has no certificate for ${
    missing.join(", ")
  }: clients are shown that of ${
    names!.join(", ") || "nobody"
  }, and refuse it; put one into its "tls", or lead them elsewhere`;
}

/** Undefined where they are not known: of a self-signed one, which nobody trusts, and of files that are told of elsewhere. */
function namesOf(tls: TlsPlan): readonly string[] | undefined {
  if (tls.certificates === "self-signed") return undefined;
  try {
    return pairsOf(tls, () => {}).flatMap(({ identity }) => identity.names);
  } catch (error) {
    if (error instanceof PorticoError) return undefined;
    throw error;
  }
}

/** Whether a certificate's name is about any of those that are wished. */
function isAbout(name: string, wish: string): boolean {
  return name === wish || covers(name, wish) || matchName(wish)(name);
}
