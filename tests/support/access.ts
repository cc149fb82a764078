import type { Access, AccessRule } from "../../runtime/core/plan.ts";

/** Rules as a manifest has them; without `allow`, everybody is served whom no rule is about. */
export interface Addresses {
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
}

/** What such rules come to. */
export function accessOf({ allow, deny = [] }: Addresses = {}): Access {
  const rule = (action: AccessRule["action"]) => (text: string): AccessRule => ({
    action,
    text,
    subject: text,
  });
  return {
    rules: [...(allow ?? []).map(rule("allow")), ...deny.map(rule("deny"))],
    others: allow === undefined,
  };
}
