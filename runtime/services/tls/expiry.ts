/** Tells of certificates that are about to end: 30, 7 and 1 days before it, and when it has come. */
import type { Clock, Timer } from "../../core/clock.ts";
import { DURATION_MAX } from "../../core/units.ts";
import type { Tell } from "./held.ts";
import { type Pair, timeOf } from "./pair.ts";

const DAY = 86_400_000;

/** Days before the end, the nearest first. */
const STEPS = [0, 1, 7, 30] as const;

/** From when to when a certificate is valid, in ms since 1970. */
type Validity = Pick<Pair, "validFrom" | "validTo">;

/** Those that are in the last third of its time: one of a few days is renewed later than one of a year. */
function stepsOf({ validFrom, validTo }: Validity): number[] {
  return STEPS.filter((days) => days * DAY <= (validTo - validFrom) / 3);
}

/** The step that has been reached, undefined before the first one. */
function stepOf(validity: Validity, now: number): number | undefined {
  return stepsOf(validity).find((days) => now >= validity.validTo - days * DAY);
}

/** `ends in 6 days, at 2026-12-04T12:00:00Z`; undefined while there is time. */
export function endsSoon(validity: Validity, now: number): string | undefined {
  const step = stepOf(validity, now);
  const { validTo } = validity;
  if (step === undefined) return undefined;
  const at = timeOf(validTo);
  if (step === 0) return `has ended at ${at}`;
  const days = Math.floor((validTo - now) / DAY);
  const left = days > 1 ? `${days} days` : `${Math.floor((validTo - now) / 3_600_000)} hours`;
  return `ends in ${left}, at ${at}`;
}

/** Looks at certificates when the next one of them comes to a step; each step is told of once. */
export class ExpiryWatch {
  readonly #clock: Clock;
  readonly #tell: Tell;
  readonly #pairs: () => readonly Pair[];
  /** By fingerprint: the step that was told of. */
  #told = new Map<string, number>();
  #timer: Timer | undefined = undefined;

  constructor(clock: Clock, tell: Tell, pairs: () => readonly Pair[]) {
    this.#clock = clock;
    this.#tell = tell;
    this.#pairs = pairs;
  }

  look(): void {
    const now = this.#clock.wall();
    const told = new Map<string, number>();
    let next = DURATION_MAX;
    for (const pair of this.#pairs()) {
      const { fingerprint, validTo, identity, files } = pair;
      const step = stepOf(pair, now);
      const before = this.#told.get(fingerprint);
      if (step !== undefined) told.set(fingerprint, step);
      if (step !== undefined && step !== before && files.cert !== "") {
        const about = `the certificate of ${identity.names.join(", ") || "no name"}`;
        const message = `${files.cert}: ${about} ${endsSoon(pair, now)!}`;
        const level = step <= 1 ? "error" : "warn";
        this.#tell(level, "error", { code: "TLS_INVALID", message, side: "config" });
      }
      for (const days of stepsOf(pair)) {
        const left = validTo - days * DAY - now;
        if (left > 0) next = Math.min(next, left);
      }
    }
    this.#told = told;
    this.close();
    this.#timer = this.#clock.setTimeout(() => this.look(), next);
  }

  close(): void {
    this.#clock.clear(this.#timer);
  }
}
