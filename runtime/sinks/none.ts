import type { Sink } from "../core/record.ts";

/** Nowhere. */
export function openNone(): Sink {
  return { write() {} };
}
