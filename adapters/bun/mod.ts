/** The adapter for Bun: see `runtime.ts`. */
import type { Adapter } from "../../runtime/core/contract.ts";
import { runtimeAdapter } from "../runtime-adapter.ts";
import { RUNTIME } from "./runtime.ts";

/** Makes it. */
export function makeAdapter(): Adapter {
  return runtimeAdapter(RUNTIME);
}
