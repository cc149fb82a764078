import { startInline } from "../services/inline.ts";
import type { Strategy } from "./strategy.ts";

/** One session at a time, the others wait in order: `TCPServer` as it is, inetd's `wait`. */
export const serial: Strategy = {
  name: "serial",
  check: () => true,
  executor: startInline,
};
