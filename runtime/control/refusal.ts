import { type Code, CODES, PorticoError } from "../core/errors.ts";

/** A server's own answer that it did not do what it was asked; the code is what it gave. */
export class ServerRefusal extends PorticoError {
  /** @param code of any version of Portico; one that is not known here becomes CONTROL_FAILED. */
  constructor(code: string, message: string) {
    super(Object.hasOwn(CODES, code) ? code as Code : "CONTROL_FAILED", message);
  }
}
