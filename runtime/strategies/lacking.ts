/** What a service asks for that cannot be had on this machine, by this runtime. */
import type { Adapter, Missing } from "../core/contract.ts";
import { missing } from "../core/contract.ts";
import type { ServicePlan } from "../core/plan.ts";
import { STRATEGIES } from "./mod.ts";

/** What a service needs that cannot be had here; empty when all is there. Binds nothing. */
export function lacking(plan: ServicePlan, adapter: Adapter): Missing[] {
  const { strategy } = plan.concurrency;
  const support = STRATEGIES[strategy].check(plan, adapter);
  const { descriptors } = adapter.features;
  return [
    ...(support === true ? [] : [{ what: strategy, ...support }]),
    ...(plan.match === undefined || descriptors === true
      ? []
      : [{ what: "match", ...descriptors }]),
    ...plan.listen.flatMap(({ endpoint, options, text }) =>
      missing(adapter.features, endpoint, options).map((lack) => ({
        ...lack,
        what: lack.what === endpoint.transport ? text : `${lack.what} of ${text}`,
      }))
    ),
  ];
}

/** "unixgram:/run/x: node:ffi is switched off; start node without --no-experimental-ffi". */
export function describeLack({ what, reason, remedy }: Missing): string {
  return `${what}: ${reason}${remedy === undefined ? "" : `; ${remedy}`}`;
}
