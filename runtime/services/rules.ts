/** What rules need beside the admission that asks them: names, and an end of sessions with their hours. */
import { EndingRules, untilNextMinute } from "../core/access/ends.ts";
import type { Compiled, Verdict } from "../core/access/rules.ts";
import type { Admission } from "../core/admission/admission.ts";
import type { Refusal } from "../core/admission/candidate.ts";
import { NameWaits } from "../core/admission/name-wait.ts";
import { STAGE, type Ticket } from "../core/admission/ticket.ts";
import { type Clock, SYSTEM_CLOCK, type Timer } from "../core/clock.ts";
import type { Address } from "../core/endpoint.ts";
import { errorFields } from "../core/log.ts";
import { NamedRules } from "../core/names/rules.ts";
import { aboutNames } from "../core/plan.ts";
import type { Host, ReadyService } from "./contract.ts";

/** How long the start of a service waits for the addresses of its hosts, in ms. */
const PATIENCE = 5_000;

/**
 * Has an admission know names, and ends sessions with the hours of their rules, until its
 * {@link Admission.forget}. Resolves when its hosts have addresses, or a little later: they are asked for
 * before anybody comes. Without what knows names, rules about them are about nobody.
 */
export async function followRules(
  { plan, log }: Pick<ReadyService, "plan" | "log">,
  { names, clock = SYSTEM_CLOCK }: Pick<Host, "names" | "clock">,
  admission: Admission,
): Promise<void> {
  const { access } = plan;
  let named: NamedRules | undefined;
  if (names !== undefined && aboutNames(access)) {
    named = new NamedRules(admission.rules, await names());
    const begun = named.begin((host, error) => {
      const about = { service: plan.name, host };
      if (error !== undefined) log.emit("warn", "error", { ...about, ...errorFields(error) });
      else log.emit("info", "log", { ...about, message: `${host} is resolved again` });
    });
    admission.useNames(named, new NameWaits(admission, named));
    await before(clock, PATIENCE, begun);
  }
  const ends = access.rules.some(({ end }) => end === true)
    ? endWithHours(admission, named, clock)
    : () => {};
  admission.forget = () => {
    named?.end();
    ends();
  };
}

async function before(clock: Clock, ms: number, promise: Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = clock.setTimeout(resolve, ms);
    void promise.then(() => {
      clock.clear(timer);
      resolve();
    });
  });
}

/** Looks once a minute, and at all sessions when hours have begun or ended. @returns ends that. */
function endWithHours(
  admission: Admission,
  named: NamedRules | undefined,
  clock: Clock,
): () => void {
  const rules = new EndingRules(admission.rules, clock.wall());
  let timer: Timer;
  const wait = (): void => {
    timer = clock.setTimeout(look, untilNextMinute(clock.wall()));
  };
  const look = (): void => {
    const wall = clock.wall();
    if (rules.look(wall)) {
      expel(admission, rules, (remote) => judge(admission, named, remote, wall));
    }
    wait();
  };
  wait();
  return () => clock.clear(timer);
}

interface Judgement {
  readonly verdict: Verdict;
  readonly about: readonly Compiled[];
}

function judge(
  { rules }: Admission,
  named: NamedRules | undefined,
  remote: Address,
  wall: number,
): Judgement {
  if (named === undefined || remote.host === "") {
    return { verdict: rules.decide(remote, wall), about: rules.about(remote) };
  }
  const names = named.peers.latest(remote.host);
  const about = [...named.covering(remote.host), ...named.inDomains(names)];
  return { verdict: named.decideAs(remote, names, wall), about };
}

/** Ends those who are served no more. */
function expel(
  admission: Admission,
  rules: EndingRules,
  judge: (remote: Address) => Judgement,
): void {
  const found: [Ticket, Refusal][] = [];
  admission.places.forEach((ticket) => {
    if (ticket.admission !== admission) return;
    const { verdict, about } = judge(ticket.candidate.remote);
    if (!rules.ends(verdict, about)) return;
    const { text, rule } = verdict;
    found.push([ticket, { rule: text, ...(rule?.place !== undefined && { place: rule.place }) }]);
  });
  for (const [ticket, why] of found) {
    // Another one's end may have ended it.
    if (ticket.stage === STAGE.over) continue;
    if (ticket.granted) ticket.candidate.cut?.("access");
    else {
      ticket.release();
      ticket.candidate.refused(why);
    }
  }
}
