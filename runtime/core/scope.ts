/** Whose a plugin's state is: what `start` closes over, and who shares it. */
import type { StrategyName } from "./plan.ts";
import type { StartContext } from "./plugin.ts";

/** As {@link StartContext} tells a plugin. */
export type Scope = StartContext<unknown>["scope"];

const SCOPES: Readonly<Record<StrategyName, Scope>> = {
  serial: "service",
  async: "service",
  threads: "worker",
  processes: "worker",
  spawn: "session",
};

export function scopeOf(strategy: StrategyName): Scope {
  return SCOPES[strategy];
}

/** What it means for the sessions of a service, as a clause for people. */
export function describeScope(strategy: StrategyName, workers: number): string {
  switch (scopeOf(strategy)) {
    case "service":
      return "all sessions share one state";
    case "worker":
      return workers === 1
        ? "all sessions share the state of the one worker"
        : `each of the ${workers} workers has a state of its own`;
    case "session":
      return "each session has a state of its own";
  }
}

/** Whether a service of which there has to be one state would have several. */
export function splitsState(strategy: StrategyName, workers: number): boolean {
  const scope = scopeOf(strategy);
  return scope === "session" || (scope === "worker" && workers > 1);
}
