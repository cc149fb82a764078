import { PorticoError } from "../core/errors.ts";
import type { Plan } from "../core/plan.ts";

/** What the process is cannot be changed while it runs. @throws PorticoError MANIFEST_INVALID. */
export function checkFixed(plan: Plan, before: Plan): void {
  const fixed = ["control", "identity", "umask"] as const;
  const changed: string[] = fixed.filter((key) =>
    JSON.stringify(plan[key]) !== JSON.stringify(before[key])
  );
  if (plan.bans.file !== before.bans.file) changed.push("bans.file");
  if (changed.length === 0) return;
  const names = changed.map((key) => key === "identity" ? "user or group" : key).join(", ");
  throw new PorticoError("MANIFEST_INVALID", `${names} cannot be changed by a reload: restart`);
}
