/** Requests about bans, sources and limits: `{"command":"ban","source":"192.0.2.7","for":3600000}`. */
import { PorticoError } from "../core/errors.ts";
import { readIp } from "../core/ip.ts";
import { DURATION_MAX } from "../core/units.ts";
import { show } from "../values/problem.ts";
import { peerFrom, type PolicyControl } from "./policy.ts";

/** The verbs of `PolicyControl`. */
export const POLICY_VERBS = [
  "bans",
  "ban",
  "unban",
  "top",
  "explain",
] as const satisfies readonly (keyof PolicyControl)[];

/** One of {@link POLICY_VERBS}. */
export type PolicyVerb = typeof POLICY_VERBS[number];

/** What they are asked with, beside `command`. */
export interface PolicyWords {
  /** Of `ban` and `unban`: an address, a prefix, `uid:N`. */
  readonly source?: string | undefined;
  /** Of `ban`: milliseconds; until it is lifted when silent. */
  readonly for?: number | undefined;
  readonly reason?: string | undefined;
  /** Of `unban`: all there are, in the place of `source`. */
  readonly all?: boolean | undefined;
  /** Of `explain`, with the service: the address of a peer, or a user and group of this machine. */
  readonly from?: string | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

type Key = keyof PolicyWords;

/** Characters of a reason. */
const REASON_MAX = 200;

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

/** What each may be, and which verbs take it. */
const WORDS: Readonly<
  Record<
    Key,
    {
      readonly of: readonly PolicyVerb[];
      readonly due: string;
      readonly fits: (value: unknown) => boolean;
    }
  >
> = {
  source: {
    of: ["ban", "unban"],
    due: "an address, ADDRESS/PREFIX or uid:N",
    fits: (value) => typeof value === "string" && value.length < 100,
  },
  for: {
    of: ["ban"],
    due: `milliseconds from 1 to ${DURATION_MAX}`,
    fits: (value) => typeof value === "number" && value >= 1 && value <= DURATION_MAX,
  },
  reason: {
    of: ["ban"],
    due: `a text of at most ${REASON_MAX} characters`,
    fits: (value) => typeof value === "string" && value.length <= REASON_MAX,
  },
  all: { of: ["unban"], due: "true", fits: (value) => value === true },
  from: {
    of: ["explain"],
    due: "an IP address",
    fits: (value) => typeof value === "string" && readIp(value, new Uint32Array(4)) !== 0,
  },
  uid: { of: ["explain"], due: "a number", fits: isCount },
  gid: { of: ["explain"], due: "a number", fits: isCount },
};

/** The keys that {@link policyWords} looks at. */
export const POLICY_KEYS: readonly string[] = Object.keys(WORDS);

/** Checks what comes with a command. @throws PorticoError USAGE. */
export function policyWords(
  command: string,
  given: Readonly<Partial<Record<string, unknown>>>,
): PolicyWords {
  const words: Partial<Record<Key, unknown>> = {};
  for (const key of Object.keys(WORDS) as Key[]) {
    const value = given[key];
    if (value === undefined) continue;
    const { of, due, fits } = WORDS[key];
    if (!(of as readonly string[]).includes(command) || !fits(value)) {
      throw usage(`${key} is ${due}, for ${of.join(" and ")}: received ${show(value)}`);
    }
    words[key] = value;
  }
  if (command === "ban" && words.source === undefined) throw usage("ban needs a source");
  if (command === "unban" && (words.source === undefined) !== (words.all === true)) {
    throw usage('unban needs a source, or "all": true');
  }
  if (command === "explain" && (words.from === undefined) === (words.uid === undefined)) {
    throw usage("explain needs from, or uid");
  }
  return words as PolicyWords;
}

/** Whether it is one of {@link POLICY_VERBS}. */
export function isPolicyVerb(command: string): command is PolicyVerb {
  return (POLICY_VERBS as readonly string[]).includes(command);
}

/** Does it. @throws PorticoError. */
export function performPolicy(
  policy: PolicyControl,
  command: PolicyVerb,
  { source, for: ms = Infinity, reason, service, ...peer }: PolicyWords & {
    readonly service?: string | undefined;
  },
): unknown {
  switch (command) {
    case "bans":
      return policy.bans();
    case "ban":
      return policy.ban(source!, ms, reason ?? "operator");
    case "unban":
      return policy.unban(source);
    case "top":
      return policy.top();
    case "explain":
      if (service === undefined) throw usage("explain needs a service");
      return policy.explain(service, peerFrom(peer));
  }
}

function usage(message: string): PorticoError {
  return new PorticoError("USAGE", message);
}
