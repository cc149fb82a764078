import { startInline } from "../services/inline.ts";
import type { Strategy } from "./strategy.ts";

/** On the event loop, `max` at once, the rest wait their turn. */
export const async: Strategy = {
  name: "async",
  check: () => true,
  executor: startInline,
};
