/** The deadlines and bounds that protect a service where its manifest says nothing, and those that it has switched off. */
import type { Endpoint } from "../core/endpoint.ts";
import { kindOf } from "../core/endpoint.ts";
import type { Limits, ListenPlan, ServicePlan } from "../core/plan.ts";
import { isInherited } from "../manifest/inherited.ts";
import { LIMITS } from "../manifest/limits.ts";
import type { Finding } from "./findings.ts";

/** One of them. */
interface Protection {
  readonly name: "handshake" | "handshakes" | "firstByte" | "idle" | "progress" | "wait";
  /** What it is against. */
  readonly against: string;
  /** Streams, requests, or what has TLS. */
  readonly of: readonly ("stream" | "http" | "tls")[];
  readonly value: (limits: Limits) => number;
  /** The value as a manifest has it. */
  readonly text: (limits: Limits) => string;
}

const PROTECTIONS: readonly Protection[] = [
  {
    name: "handshake",
    against: "who begins a handshake of TLS and does not end it",
    of: ["tls"],
    value: ({ handshake }) => handshake,
    text: ({ handshake }) => inWords(handshake),
  },
  {
    name: "handshakes",
    against: "a flood of handshakes, whose cost is the server's",
    of: ["tls"],
    value: ({ handshakes }) => handshakes,
    text: ({ handshakes }) => String(handshakes),
  },
  {
    name: "firstByte",
    against: "who connects and says nothing, to a server that says nothing either",
    of: ["stream"],
    value: ({ firstByte }) => firstByte,
    text: ({ firstByte }) => inWords(firstByte),
  },
  {
    name: "idle",
    against: "who has fallen silent for good",
    of: ["stream"],
    value: ({ idle }) => idle,
    text: ({ idle }) => inWords(idle),
  },
  {
    name: "progress",
    against: "one byte a second of what has begun, and who does not read",
    of: ["stream", "http"],
    value: ({ progress }) => progress.per,
    text: ({ progress }) => `${progress.bytes}B/${inWords(progress.per)}`,
  },
  {
    name: "wait",
    against: "who waits for a turn that does not come",
    of: ["stream", "http"],
    value: ({ hold }) => hold,
    text: ({ hold }) => inWords(hold),
  },
];

/** As a manifest writes it. */
function inWords(ms: number): string {
  for (const [unit, size] of [["h", 3_600_000], ["m", 60_000], ["s", 1000]] as const) {
    if (ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

/** What holds when nobody says anything. */
export function protections(): Record<
  string,
  { readonly default: string; readonly against: string }
> {
  return Object.fromEntries(
    PROTECTIONS.map(({ name, against, text }) => [name, { default: text(LIMITS), against }]),
  );
}

/** What a service has switched off though strangers reach it: that does not keep it from being run. */
export function protectionFindings(plan: ServicePlan): Finding[] {
  const strangers = plan.listen.filter(({ endpoint }) => isPublic(endpoint));
  return PROTECTIONS.flatMap(({ name, against, of, value }): Finding[] => {
    const place = strangers.find((listen) => of.some((kind) => isOf(listen, kind)));
    if (place === undefined || value(plan.limits) !== Infinity) return [];
    const note = `off, on the public address ${place.text}: nothing protects it against ${against}`;
    return [{ what: `limits.${name}`, lacks: [], note, path: ["services", plan.name, "limits"] }];
  }).concat(
    strangers.filter(isUnguarded).map((place) => ({
      what: "keepAlive",
      lacks: [],
      note: `off, on the public address ${place.text}: a peer that vanishes is not found`,
      path: ["services", plan.name, "listen"],
    })),
  );
}

function isOf({ endpoint, tls }: ListenPlan, kind: "stream" | "http" | "tls"): boolean {
  if (kind === "tls") return tls !== undefined;
  return !isInherited(endpoint) && kindOf(endpoint.transport) === kind;
}

function isUnguarded(listen: ListenPlan): boolean {
  return listen.options.keepAlive === 0 && (isOf(listen, "stream") || isOf(listen, "http"));
}

/** Reached from elsewhere, as far as its address says; of an inherited socket nobody knows. */
export function isPublic(endpoint: Endpoint): boolean {
  if (!("host" in endpoint)) return false;
  return !/^(?:127\.|::1$|(?:::ffff:)127\.|localhost$)/i.test(endpoint.host);
}
