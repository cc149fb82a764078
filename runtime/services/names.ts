/** Rules about names: what a service that has some needs beside its admission. */
import { aboutNames, NamedRules, type Names } from "../core/names/rules.ts";
import type { Admission } from "../core/admission/admission.ts";
import { NameWaits } from "../core/admission/name-wait.ts";
import type { Clock } from "../core/clock.ts";
import { errorFields } from "../core/log.ts";
import type { ReadyService } from "./contract.ts";

/** How long the start of a service waits for the addresses of its hosts, in ms. */
const PATIENCE = 5_000;

/**
 * Has an admission know names, until what it returns is called. Resolves when its hosts have addresses,
 * or a little later: they are asked for before anybody comes.
 *
 * @param names makes what knows them; without it rules about names are about nobody.
 */
export async function useNames(
  { plan, log }: Pick<ReadyService, "plan" | "log">,
  admission: Admission,
  names: (() => Promise<Names>) | undefined,
  clock: Clock,
): Promise<() => void> {
  if (names === undefined || !aboutNames(plan.access)) return () => {};
  const rules = new NamedRules(admission.rules, await names());
  const begun = rules.begin((host, error) => {
    const fields = { service: plan.name, host };
    if (error === undefined) {
      log.emit("info", "log", { ...fields, message: `${host} is resolved again` });
    } else log.emit("warn", "error", { ...fields, ...errorFields(error) });
  });
  admission.useNames(rules, new NameWaits(admission, rules));
  await new Promise<void>((resolve) => {
    const timer = clock.setTimeout(resolve, PATIENCE);
    void begun.then(() => {
      clock.clear(timer);
      resolve();
    });
  });
  return () => rules.end();
}
