/** What a process that Portico starts finds as its stdin. */
import { closeSync, openSync } from "node:fs";
import type { Descriptors } from "../core/descriptors.ts";

/** Ends of two pairs of sockets. */
export interface Ends {
  /** Messages go along it. */
  readonly channel: number;
  /** Descriptors go along it. */
  readonly lane: number;
}

/** Takes the channel that is descriptor 0, and the lane, the first thing on it. There is no stdin any more. */
export function takeEnds(descriptors: Descriptors): Ends {
  const lane = descriptors.take(0, true);
  const channel = descriptors.duplicate(0);
  // Were it closed first, another thread's file might be what all take for stdin.
  const nothing = openSync("/dev/null", "r");
  descriptors.replace(0, nothing);
  closeSync(nothing);
  return { channel, lane };
}
