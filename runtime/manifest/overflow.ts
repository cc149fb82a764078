/** What `limits` of a service say of newcomers at a limit, and what means nothing where it listens. */
import { type OverflowWord, WORDS_FOR, WORDS_OF } from "../core/admission/overflow.ts";
import { kindOf } from "../core/endpoint.ts";
import type { Limits, ListenPlan } from "../core/plan.ts";
import { type Path, show } from "../values/problem.ts";
import { isInherited } from "./inherited.ts";
import type { CheckedService } from "./schema.ts";
import type { Problems } from "./source.ts";

type Kind = keyof typeof WORDS_FOR;

const NAMES: Readonly<Record<Kind, string>> = {
  stream: "streams",
  datagram: "datagrams",
  http: "HTTP",
};

/** Why a word means nothing to sessions of a kind. */
const WHY: Readonly<Partial<Record<OverflowWord, string>>> = {
  drop: "who connects is heard of, nothing can be dropped in silence",
  reset: "there is no connection of ours to reset",
  shed: "only streams stay idle",
  wait: "a datagram does not wait for a place",
};

/**
 * Tells of words that nobody who comes to this service is met with, and of a rest without a rate. Blocks of
 * "defaults" are for those services that they mean something to.
 */
export function checkOverflow(
  problems: Problems,
  service: Partial<CheckedService>,
  listen: readonly ListenPlan[],
  limits: Limits,
  path: Path,
): void {
  const block = service.limits;
  if (block?.rest !== undefined && block.rest !== Infinity && limits.rate.count === Infinity) {
    problems.add(
      [...path, "limits", "rest"],
      "a rest without a rate",
      '"rate": above which the service rests, as "50/s"',
      { part: "key" },
    );
  }
  const { overflow } = block ?? {};
  if (overflow === undefined || listen.length === 0) return;
  const kinds = [
    ...new Set(
      listen.map(({ endpoint }): Kind =>
        isInherited(endpoint) ? "stream" : kindOf(endpoint.transport)
      ),
    ),
  ];
  const check = (word: OverflowWord, known: readonly OverflowWord[], place: Path): void => {
    if (kinds.some((kind) => WORDS_FOR[kind].includes(word))) return;
    const right = known.filter((one) => kinds.some((kind) => WORDS_FOR[kind].includes(one)));
    problems.add(
      [...path, "limits", "overflow", ...place],
      `${show(word)} where ${kinds.map((kind) => NAMES[kind]).join(" and ")} come: ${WHY[word]}`,
      right.map((one) => `"${one}"`).join(", "),
    );
  };
  if (typeof overflow === "string") return check(overflow, WORDS_OF.sessions, []);
  for (const [limit, word] of Object.entries(overflow)) {
    if (word === undefined) continue;
    check(word, WORDS_OF[limit as keyof typeof WORDS_OF], [limit]);
  }
}
