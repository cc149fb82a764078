import { startHere } from "../services/here.ts";
import type { Strategy } from "../services/contract.ts";

/** On the event loop, `max` at once, the rest wait their turn. */
export const async: Strategy = {
  name: "async",
  check: () => true,
  start: startHere,
};
