/** Candidates about whom a rule on a domain may decide, while their names are asked for. */
import type { NamedRules } from "../names/rules.ts";
import type { Admission } from "./admission.ts";
import type { Candidate, Refusal } from "./candidate.ts";
import type { Permit } from "./permit.ts";
import { REFUSALS } from "./policy.ts";
import { STAGE, type Ticket } from "./ticket.ts";

/** Those of one admission. */
export class NameWaits {
  readonly #admission: Admission;
  readonly #rules: NamedRules;
  readonly #waits: Set<NameWait> = new Set();

  constructor(admission: Admission, rules: NamedRules) {
    this.#admission = admission;
    this.#rules = rules;
  }

  /** Has one wait for its name; or the limit, when too many do. */
  add(candidate: Candidate): NameWait | Refusal {
    const wait = new NameWait(candidate, (wait, told) => this.#over(wait, told));
    const { host } = candidate.remote;
    const giveUp = this.#rules.peers.ask(host, candidate.weight, () => wait.told());
    if (giveUp === undefined) return REFUSALS.hold;
    wait.giveUp = giveUp;
    this.#waits.add(wait);
    this.#admission.waitsForName(1);
    return wait;
  }

  /** Its name is known, or it has left. */
  #over(wait: NameWait, told: boolean): Ticket | Refusal | undefined {
    if (!this.#waits.delete(wait)) return undefined;
    // Its place among the live is taken before this one is given back.
    const answer = told ? this.#admission.admitNamed(wait.candidate) : undefined;
    this.#admission.waitsForName(-1);
    return answer;
  }

  /** Refuses all. */
  refuse(why: Refusal): void {
    for (const wait of [...this.#waits]) wait.refuse(why);
  }
}

/** The permit of one: what it has been given by the time that its name is known. */
export class NameWait implements Permit {
  readonly candidate: Candidate;
  readonly stage: number = STAGE.place;
  giveUp: () => void = () => {};
  readonly #over: (wait: NameWait, told: boolean) => Ticket | Refusal | undefined;
  #ticket: Ticket | undefined = undefined;

  constructor(
    candidate: Candidate,
    over: (wait: NameWait, told: boolean) => Ticket | Refusal | undefined,
  ) {
    this.candidate = candidate;
    this.#over = over;
  }

  get granted(): boolean {
    return this.#ticket?.granted ?? false;
  }

  told(): void {
    const answer = this.#over(this, true);
    if (answer === undefined) return;
    if (!("stage" in answer)) return this.candidate.refused(answer);
    this.#ticket = answer;
    if (answer.granted) this.candidate.admitted();
  }

  refuse(why: Refusal): void {
    this.release();
    this.candidate.refused(why);
  }

  returnTurn(): void {
    this.#ticket?.returnTurn();
  }

  release(): void {
    if (this.#ticket !== undefined) return this.#ticket.release();
    this.giveUp();
    this.#over(this, false);
  }
}
