/** Where the pull form finds what lends chunks, which is loaded for a plugin that keeps none: {@link Plugin.keepsChunks}. */
import type { Loan, Sender } from "./loans.ts";

export type { Loan, Sender } from "./loans.ts";

export interface Lending {
  lend(chunk: Uint8Array): Loan | undefined;
  giveBack(loan: Loan): undefined;
  write(bytes: Uint8Array, sender: Sender): void;
}

/** Of this thread; undefined as long as nobody lends. */
export let lending: Lending | undefined = undefined;

/** Lends from now on, by `loans.ts`. */
export function lendBy(loans: Lending): void {
  lending = loans;
}
