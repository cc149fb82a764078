/** A manifest, expanded and prepared as the server does it: with the types of sinks that there are. */
import type { Plan } from "../../runtime/core/plan.ts";
import { expand as expandWith } from "../../runtime/manifest/expand.ts";
import { prepare as prepareWith, type PreparedService } from "../../runtime/manifest/prepare.ts";
import { loadAllParts } from "../../runtime/manifest/parts.ts";
import type { Source } from "../../runtime/manifest/source.ts";
import { sinkCatalog } from "../../runtime/sinks/mod.ts";

await loadAllParts();

/** See {@link expandWith}. */
export function expand(source: Source): Plan {
  return expandWith(source, sinkCatalog);
}

/** See {@link prepareWith}. */
export function prepare(plan: Plan, source: Source): Promise<PreparedService[]> {
  return prepareWith(plan, source, sinkCatalog);
}
