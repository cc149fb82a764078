/**
 * Rules of `access` about the certificate that a peer has shown. They are asked when TLS has begun, in the thread in
 * which the session is, behind all others: a peer needs both. Where one of them is an `allow`, one has to be about the
 * peer; `deny` comes first.
 */
import type { Refusal } from "../admission/candidate.ts";
import type { Clock } from "../clock.ts";
import type { Access, AccessRule, RuleOptions } from "../plan.ts";
import type { PeerCertificate, TlsInfo } from "../tls.ts";
import { compile, type Compiled, holding } from "../access/rules.ts";

/** What is to be right. */
export const CERTIFICATE =
  "cert:subject=CN=alice,O=Example, cert:san=DNS:*.example.org or cert:fingerprint= and the 64 digits of its SHA-256";

/** About whom a rule is. */
interface CertificateRule extends Compiled {
  readonly matches: (peer: PeerCertificate, authorized: boolean) => boolean;
}

/**
 * Reads whom a rule is about.
 *
 * @param text behind `cert:`
 * @throws SyntaxError whose message says what was received and what would be right.
 */
export function parseCertificate(text: string): CertificateRule["matches"] {
  const at = text.indexOf("=");
  const value = text.slice(at + 1).trim();
  if (value !== "") {
    switch (text.slice(0, Math.max(0, at))) {
      case "subject":
        return ofSubject(value);
      case "san":
        return ofName(value);
      case "fingerprint": {
        const digits = value.replaceAll(":", "").toLowerCase();
        // Who it is from does not matter: it is this one.
        if (/^[0-9a-f]{64}$/.test(digits)) return ({ fingerprint }) => fingerprint === digits;
      }
    }
  }
  throw new SyntaxError(
    `a rule about certificates is ${CERTIFICATE}; received ${JSON.stringify(`cert:${text}`)}`,
  );
}

/** All parts that are named have to be there, whatever stands between them. */
function ofSubject(value: string): CertificateRule["matches"] {
  const due = partsOf(value);
  return ({ subject }, authorized) => {
    if (!authorized) return false;
    const parts = partsOf(subject);
    return due.every((part) => parts.includes(part));
  };
}

/** The parts of a name, RFC 4514: `CN=alice`. A comma behind a backslash is part of its value. */
function partsOf(name: string): string[] {
  return (name.match(/(?:\\.|[^,\\])+/g) ?? []).map((part) => {
    const at = part.indexOf("=");
    return `${part.slice(0, at).trim().toUpperCase()}=${part.slice(at + 1).trim()}`;
  });
}

/** `DNS:*.example.org` is about every name with one label in its place. */
function ofName(value: string): CertificateRule["matches"] {
  const due = value.toLowerCase();
  if (!due.startsWith("dns:*.")) {
    return ({ subjectAltNames }, authorized) =>
      authorized && subjectAltNames.some((name) => name.toLowerCase() === due);
  }
  const end = due.slice("dns:*".length);
  return ({ subjectAltNames }, authorized) =>
    authorized && subjectAltNames.some((name) => {
      const lower = name.toLowerCase();
      if (!lower.startsWith("dns:") || !lower.endsWith(end)) return false;
      const label = lower.slice("dns:".length, -end.length);
      return label !== "" && !label.includes(".");
    });
}

/** Who asks, with what TLS has come to. */
interface Asked {
  readonly tls?: TlsInfo | undefined;
  ruleOptions?: RuleOptions | undefined;
}

/** Those of one service. */
export class CertificateRules {
  readonly #deny: readonly CertificateRule[];
  readonly #allow: readonly CertificateRule[];
  readonly #clock: Pick<Clock, "wall">;

  /** @throws SyntaxError naming the rule that cannot be read. */
  constructor({ rules }: Pick<Access, "rules">, clock: Pick<Clock, "wall">) {
    const of = (action: AccessRule["action"]): CertificateRule[] =>
      rules.filter((rule) => rule.action === action && rule.subject.startsWith("cert:")).map(
        (rule) => {
          const matches = parseCertificate(rule.subject.slice("cert:".length));
          return { ...compile(rule), matches };
        },
      );
    this.#deny = of("deny");
    this.#allow = of("allow");
    this.#clock = clock;
  }

  /** Why a peer is not let in; undefined where it is. Who has shown no certificate is who no rule is about. */
  refusal(asked: Asked): Refusal | undefined {
    const { tls } = asked;
    const wall = this.#clock.wall();
    const about = (rules: readonly CertificateRule[]): readonly CertificateRule[] =>
      rules.filter(({ matches }) =>
        tls?.peer !== undefined && matches(tls.peer, tls.authorized || rules === this.#deny)
      );
    const denied = holding(about(this.#deny), wall);
    if (denied !== undefined) return refusalOf(denied);
    if (this.#allow.length === 0) return undefined;
    const allowed = about(this.#allow);
    const found = holding(allowed, wall);
    if (found === undefined) {
      const early = allowed[0]?.early;
      if (early !== undefined) return { rule: early.text };
      return { rule: tls?.peer === undefined ? "no certificate" : "certificate not in allow" };
    }
    if (found.rule.options !== undefined) {
      asked.ruleOptions = { ...asked.ruleOptions, ...found.rule.options };
    }
    return undefined;
  }
}

function refusalOf({ rule: { place }, verdict: { text } }: Compiled): Refusal {
  return place === undefined ? { rule: text } : { rule: text, place };
}
