/** A certificate for development, made at the start. */
import type { Clock } from "../../core/clock.ts";
import { PorticoError } from "../../core/errors.ts";
import type { TlsPlan } from "../../core/plan.ts";
import type { Tell } from "./held.ts";
import type { Pair } from "./pair.ts";

export function selfSigned(_plan: TlsPlan, _clock: Clock, _tell: Tell): Promise<Pair> {
  throw new PorticoError("NOT_SUPPORTED", "self-signed certificates are not made yet");
}
