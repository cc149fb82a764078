/**
 * Where peers of one address part: each is looked at until its first bytes say which service it is for, and is handed
 * to that one, as if nothing had been read.
 *
 *     ADMITTED → enough said? → the service's own RULES → LIMITS → …
 *                  └─ waits, in bounds ─ in time: whoever is open counts as no
 *
 * How they are looked at is `unread.ts`, where they come by descriptor, and `held.ts`, where the runtime reads.
 */
import type { Refusal } from "../core/admission/candidate.ts";
import type { MatchPlan } from "../core/prologue/match-plan.ts";
import { MOST_HELLO } from "../core/prologue/client-hello.ts";
import { firstMatch, type Matcher } from "../core/prologue/match.ts";
import type { Fields } from "../core/record.ts";
import type { Service } from "../core/service.ts";
import type { RouteCount } from "../core/totals.ts";
import type { Host, Manner, Unread } from "../services/contract.ts";
import { HeaderWait } from "../services/header-wait.ts";
import type { HeldConnection } from "../services/held-connection.ts";
import { matcherOf } from "./matchers.ts";

/** So many bytes are looked at. */
export const MOST = MOST_HELLO;
export const NOTHING: Uint8Array = new Uint8Array(0);

/** It is none of those that are served here. */
export const NOBODY: Refusal = { rule: "match" };
/** There is no room for one more that waits. */
export const FULL: Refusal = { limit: "waiting" };
export const DRAIN: Refusal = { limit: "drain" };

/** One who has not said enough. */
export interface Undecided {
  readonly since: number;
  /** Nothing more is waited for. */
  late(): void;
  /** The service lets nobody in any more. */
  dismiss(): void;
}

/** Why somebody is turned away, with what its record says besides. */
export type Turned = readonly [why: Refusal, more?: Fields];

export class Crossroads {
  /** Whoever comes beyond its bounds is refused. */
  readonly waiting: HeaderWait<Undecided>;
  readonly #plan: MatchPlan;
  readonly #service: Service;
  readonly #receiver: NonNullable<Host["receiver"]>;
  readonly #matchers: readonly Matcher[];
  readonly #counts: readonly RouteCount[];

  constructor(
    plan: MatchPlan,
    service: Service,
    receiver: NonNullable<Host["receiver"]>,
    matchers: ReadonlyMap<string, Matcher> | undefined,
  ) {
    this.#plan = plan;
    this.#service = service;
    this.#receiver = receiver;
    this.waiting = new HeaderWait(service.clock, plan.wait, (one) => one.late());
    const report = service.report.bind(service);
    this.#matchers = plan.routes.map(({ when }) =>
      matcherOf(when, matchers, (error) => report(error))
    );
    this.#counts = plan.routes.map(({ text, service: to }) => service.totals.route(text, to));
  }

  /** Refuses who waits. */
  close(): void {
    this.waiting.close((one) => one.dismiss());
  }

  /**
   * The route of one who has said that; why it is nobody's; undefined while that is not decided.
   *
   * @param all nothing more comes.
   */
  decide(said: Uint8Array, all: boolean): number | Turned | undefined {
    // Before anything is said, nobody is asked whether that is enough.
    if (said.length === 0 && !all) return undefined;
    const found = firstMatch(this.#matchers, said, all);
    if (found === "undecided") return undefined;
    if (found >= 0) return found;
    return said.length > 0 ? [NOBODY] : [NOBODY, { message: "it has said nothing" }];
  }

  /** How held connections come by each of the routes. */
  manners(unix: boolean): readonly Manner[] {
    return this.#plan.routes.map(({ tls }) => ({ tls, unix }));
  }

  /** Hands it to the service that a route leads to. @returns why not; then it is the caller's still. */
  lead(index: number, arrival: Omit<Unread, "tls"> | HeldConnection): Turned | undefined {
    const { service: name, tls } = this.#plan.routes[index]!;
    const held = !("fd" in arrival);
    const receiver = this.#receiver(name, held ? arrival.manner : undefined);
    const whose = `the service ${JSON.stringify(name)}`;
    if (receiver === undefined) return [NOBODY, { message: `${whose} does not run` }];
    if (held && !receiver.takes(arrival.manner)) {
      return [NOBODY, {
        message: `${whose} takes nobody any more of whom something was read`,
      }];
    }
    if (!receiver.receive(held ? arrival : { ...arrival, tls })) return [FULL];
    this.#counts[index]!.count++;
    this.#service.countServed();
    return undefined;
  }
}
