/** The table: every case there is. */
import type { Case } from "../case.ts";
import { BANNERS } from "./banners.ts";
import { BOUNDS } from "./bounds.ts";
import { BYTES } from "./bytes.ts";
import { COUNTERS } from "./counters.ts";
import { CRASHES } from "./crashes.ts";
import { DRAINS } from "./drains.ts";
import { ENDS } from "./ends.ts";
import { HOLDS } from "./holds.ts";
import { LEAVERS } from "./leavers.ts";
import { MATCHED } from "./matched.ts";
import { NAMES } from "./names.ts";
import { ORDER } from "./order.ts";
import { OVERFLOWS } from "./overflows.ts";
import { PROXIED } from "./proxied.ts";
import { REFUSALS } from "./refusals.ts";
import { RELOADS } from "./reloads.ts";
import { RESUMES } from "./resumes.ts";
import { RETIRES } from "./retires.ts";
import { SECURED } from "./secured.ts";
import { SIGHTS } from "./sights.ts";
import { STOPS } from "./stops.ts";
import { VERBS } from "./verbs.ts";

export const CASES: readonly Case[] = [
  ...SIGHTS,
  ...ORDER,
  ...HOLDS,
  ...REFUSALS,
  ...PROXIED,
  ...SECURED,
  ...MATCHED,
  ...NAMES,
  ...OVERFLOWS,
  ...BANNERS,
  ...BOUNDS,
  ...BYTES,
  ...ENDS,
  ...LEAVERS,
  ...COUNTERS,
  ...CRASHES,
  ...DRAINS,
  ...RETIRES,
  ...RESUMES,
  ...VERBS,
  ...RELOADS,
  ...STOPS,
];
