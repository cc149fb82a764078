import { PorticoError } from "../errors.ts";

/** What whoever still reads or sends is told. */
export function closedError(): PorticoError {
  return new PorticoError("SESSION_CLOSED");
}
