import { PorticoError } from "../core/errors.ts";
import type { StrategyName } from "../core/plan.ts";
import type { Strategy } from "./strategy.ts";

/** A strategy whose name is part of the manifest, and which this version cannot run. */
export function later(name: StrategyName): Strategy {
  const lack = {
    reason: `the strategy "${name}" arrives in a later version`,
    remedy: 'use "async" or "serial"',
  };
  return {
    name,
    check: () => lack,
    start: () => Promise.reject(new PorticoError("NOT_SUPPORTED", lack.reason)),
  };
}
