/** Rules about names: what a service that has some needs beside its admission. */
import type { Admission } from "../core/admission/admission.ts";
import { NameWaits } from "../core/admission/name-wait.ts";
import { SYSTEM_CLOCK } from "../core/clock.ts";
import { errorFields } from "../core/log.ts";
import { aboutNames, NamedRules } from "../core/names/rules.ts";
import type { Host, ReadyService } from "./contract.ts";

/** How long the start of a service waits for the addresses of its hosts, in ms. */
const PATIENCE = 5_000;

/**
 * Has an admission know names, until its {@link Admission.end}. Resolves when its hosts have addresses, or
 * a little later: they are asked for before anybody comes. Without what knows names, rules about them are
 * about nobody.
 */
export async function useNames(
  { plan, log }: Pick<ReadyService, "plan" | "log">,
  { names, clock = SYSTEM_CLOCK }: Pick<Host, "names" | "clock">,
  admission: Admission,
): Promise<void> {
  if (names === undefined || !aboutNames(plan.access)) return;
  const rules = new NamedRules(admission.rules, await names());
  const begun = rules.begin((host, error) => {
    const about = { service: plan.name, host };
    if (error !== undefined) log.emit("warn", "error", { ...about, ...errorFields(error) });
    else log.emit("info", "log", { ...about, message: `${host} is resolved again` });
  });
  admission.useNames(rules, new NameWaits(admission, rules));
  await new Promise<void>((resolve) => {
    const timer = clock.setTimeout(resolve, PATIENCE);
    void begun.then(() => {
      clock.clear(timer);
      resolve();
    });
  });
}
