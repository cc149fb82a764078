import type { Candidate } from "./candidate.ts";

/** Ends sessions that have been idle longest, with reason `shed`: so that there is room for newcomers. */
export interface Shedder {
  /**
   * Ends one, soon: of `among`, or of all.
   *
   * @param none is called later, when it turns out that there is nobody after all.
   * @returns false where there is nobody, which is known at once.
   */
  shed(among: Iterable<Candidate> | undefined, none: () => void): boolean;
}
