/** What the services of a server have in common at their doors: who is shut out of all of them. */
import type { SourcePrefixes } from "../access/source.ts";
import type { Address } from "../endpoint.ts";
import type { Candidate, Refusal } from "./candidate.ts";

/** Is asked by the admission of each service, before rules and limits. */
export interface Gate {
  /** Whether there is anything to ask: mostly nobody is banned, and nobody looks on. */
  readonly asks: boolean;
  /** Why one may come to no service at all; undefined where it may. @param again it was asked about before. */
  refuses(candidate: Candidate, prefixes: SourcePrefixes, again?: boolean): Refusal | undefined;
}

/** Of whoever comes to a service that nobody has any business with. */
export const SENSOR: Refusal = { rule: "sensor" };

/** What somebody has done: it was refused, or the plugin says it in its own words. */
export type Offence = Refusal | { readonly offence: string };

/** Who has done it. */
export type Offender = Pick<Candidate, "kind"> & { readonly id: number; readonly remote: Address };

/** Is told of every refusal, and of what plugins say; returns at once. */
export type Offended = (peer: Offender, what: Offence) => void;
