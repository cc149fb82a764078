/** Rules whose sessions end with their hours: `"end": true`. */
import type { AccessRule } from "../plan.ts";
import type { AccessRules, Compiled, Verdict } from "./rules.ts";

/** Hours begin and end with a minute, in ms. */
const MINUTE = 60_000;

export class EndingRules {
  /** Those with hours. */
  readonly #rules: readonly Compiled[];
  /** Whether each holds, and held when it was looked before. */
  #held: ReadonlyMap<AccessRule, boolean>;
  #before: ReadonlyMap<AccessRule, boolean>;

  /** @param wall now: what holds by then is known to whoever was asked before. */
  constructor({ compiled }: AccessRules, wall: number) {
    const { ipv4, ipv6, users, groups, hosts, domains } = compiled;
    const named = [users, groups, hosts, domains].flatMap((map) => [...map.values()].flat());
    this.#rules = [...ipv4, ...ipv6, ...named].filter(({ times }) => times !== undefined);
    this.#held = this.#before = this.#look(wall);
  }

  #look(wall: number): ReadonlyMap<AccessRule, boolean> {
    return new Map(this.#rules.map(({ rule, times }) => [rule, times!.open(wall)]));
  }

  /** Looks again. @returns whether the hours of any rule with an end have begun or ended. */
  look(wall: number): boolean {
    this.#before = this.#held;
    this.#held = this.#look(wall);
    return this.#rules.some(({ rule }) => this.#strikes(rule));
  }

  /** Whether it has an end, and allows no more, or has begun to deny, since it was looked before. */
  #strikes(rule: AccessRule): boolean {
    const held = this.#held.get(rule);
    return rule.end === true && held !== this.#before.get(rule) &&
      held === (rule.action === "deny");
  }

  /**
   * Whether a session is over: it is served no more, since the rule that has let it in up to now has ended,
   * or since one has begun to deny it.
   *
   * @param about the rules about its peer, in the order in which they are asked.
   */
  ends({ served, rule }: Verdict, about: readonly Compiled[]): boolean {
    if (served) return false;
    if (rule?.action === "deny" && this.#strikes(rule)) return true;
    const before = about.find(({ rule }) => this.#before.get(rule) ?? true);
    return before?.rule.action === "allow" && this.#strikes(before.rule);
  }
}

/** Milliseconds until hours may begin or end again: when the clock on the wall has been set, a minute at most. */
export function untilNextMinute(wall: number): number {
  return MINUTE - wall % MINUTE;
}
