import { fstatSync } from "node:fs";
import { isatty } from "node:tty";

/**
 * Whether a descriptor is a terminal. Asked of what may be one alone: the runtime's own answer brings
 * all of its streams with it.
 */
export function isTerminal(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isCharacterDevice() && isatty(descriptor);
  } catch {
    // It is closed.
    return false;
  }
}
