/** Plays the suite where this runs, and prints what came of it: one line of JSON for each transport. */
import { harnesses } from "./adapters.ts";
import { casesOf, play, supportOf, TRANSPORTS } from "./suite.ts";

/** What came of the cases of one adapter and transport. */
export interface Outcome {
  readonly adapter: string;
  readonly transport: string;
  passed: number;
  failed: string[];
  /** The cases that were skipped, by reason. */
  skipped: Record<string, string[]>;
}

for (const [adapter, make] of await harnesses()) {
  for (const transport of TRANSPORTS) {
    const outcome: Outcome = { adapter, transport, passed: 0, failed: [], skipped: {} };
    for (const each of casesOf(transport)) {
      const support = supportOf(make(), transport, each);
      if (support !== true) {
        (outcome.skipped[support.reason] ??= []).push(each.name);
        continue;
      }
      try {
        await play(each, make(), transport);
        outcome.passed++;
      } catch (error) {
        outcome.failed.push(each.name);
        console.error(`${adapter} ${transport}: ${each.name}`, error);
      }
    }
    console.log(JSON.stringify(outcome));
  }
}
process.exit(0);
