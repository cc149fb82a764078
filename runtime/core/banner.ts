/** What a service says to whom it lets in, or turns away, before anything else: text with variables. */
import type { Refusal } from "./admission/candidate.ts";
import type { Address } from "./endpoint.ts";

/** What is known of a session when its banner is made. */
export interface BannerFacts {
  readonly service: string;
  readonly session: number;
  readonly remote: Address;
  readonly local: Address;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Why it is refused. */
  readonly why?: Refusal | undefined;
}

type Variable = (facts: BannerFacts) => string;

/** Known of everybody. */
const OF_ALL: Readonly<Record<string, Variable>> = {
  remote: ({ remote }) => hostOf(remote),
  local: ({ local }) => hostOf(local),
  service: ({ service }) => service,
  session: ({ session }) => String(session),
  time: ({ time }) => new Date(time).toISOString(),
};

/** Known of a refusal. */
const OF_REFUSALS: Readonly<Record<string, Variable>> = {
  limit: ({ why }) => why !== undefined && "limit" in why ? why.limit : "",
  rule: ({ why }) => why !== undefined && "rule" in why ? why.rule : "",
  reason: ({ why }) => why === undefined ? "" : "rule" in why ? why.rule : why.limit,
};

/** The names of the variables, by the banner in which they mean something. */
export const VARIABLES = {
  accept: Object.keys(OF_ALL),
  refuse: [...Object.keys(OF_ALL), ...Object.keys(OF_REFUSALS)],
} as const satisfies Record<string, readonly string[]>;

/** Of Unix sockets there is none. */
function hostOf({ host }: Address): string {
  return host === "" ? "local" : host;
}

const REFERENCE = /\$\$\{|\$\{([^}]*)\}/g;

/** The names that a text asks for, and nobody knows there. */
export function unknownVariables(text: string, banner: keyof typeof VARIABLES): string[] {
  const names = [...text.matchAll(REFERENCE)].map(([, name]) => name);
  const known: readonly string[] = VARIABLES[banner];
  return names.filter((name) => name !== undefined && !known.includes(name)) as string[];
}

/** Puts the variables in; `$${` stands for `${`. */
export function fillBanner(text: string, facts: BannerFacts): Uint8Array<ArrayBuffer> {
  const filled = text.replace(REFERENCE, (whole: string, name?: string) => {
    if (name === undefined) return "${";
    return (OF_ALL[name] ?? OF_REFUSALS[name])?.(facts) ?? whole;
  });
  return encoder.encode(filled);
}

const encoder = new TextEncoder();
