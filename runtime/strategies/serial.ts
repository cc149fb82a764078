import { startHere } from "../services/here.ts";
import type { Strategy } from "../services/contract.ts";

/** One session at a time, the others wait in order: `TCPServer` as it is, inetd's `wait`. */
export const serial: Strategy = {
  name: "serial",
  check: () => true,
  start: startHere,
};
