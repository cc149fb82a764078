/** What the server of a manifest says of one who came to it now, if such a server runs. */
import { loadAdapter } from "../adapter.ts";
import { ask } from "../control/client.ts";
import type { AskedPeer, Chances } from "../control/policy.ts";
import { findByManifest } from "../control/servers.ts";
import type { Fullness } from "../core/admission/fullness.ts";
import type { Limits, Plan, ServicePlan } from "../core/plan.ts";

/** How long it may take to say it, in ms. */
const PATIENCE = 2000;

/** Asks it; undefined where none runs, or it is one that does not know the question. */
export async function chancesOf(
  plan: Plan,
  service: string,
  peer: AskedPeer,
): Promise<Chances | undefined> {
  try {
    const adapter = await loadAdapter();
    const [found] = await findByManifest(adapter, [plan.file]);
    const socket = found?.socket ?? (typeof plan.control === "string" ? plan.control : undefined);
    if (socket === undefined) return undefined;
    const request = { command: "explain", service, ...peer } as const;
    return await ask(adapter, socket, request, { patience: PATIENCE }) as Chances;
  } catch {
    // Nobody is there.
    return undefined;
  }
}

/** One limit that is set. */
export interface LimitLine {
  readonly name: string;
  readonly most: number | Limits["rate"];
  /** How many there are now; of a rate how many may come at once. Undefined where no server runs. */
  readonly now?: number;
  readonly tokens?: number;
  readonly rests?: number;
  /** So many are too many. */
  readonly full: boolean;
}

/**
 * The limits that admission asks, for so many at once: of a server that runs as full as they are, else as
 * empty as when it starts.
 */
export function limitLines(
  { limits, concurrency }: ServicePlan,
  count: number,
  named: boolean,
  chances: Chances | undefined,
): LimitLine[] {
  const { datagramRate, ratePerSource, sessions, perSource, rate, waiting } = limits;
  const plain:
    readonly (Pick<Fullness, "name"> & { readonly most: Fullness["most"] | undefined })[] = [
      { name: "datagramRate", most: named ? datagramRate : undefined },
      { name: "ratePerSource", most: named ? ratePerSource : undefined },
      { name: "sessions", most: sessions },
      { name: "perSource", most: named ? perSource : undefined },
      { name: "rate", most: rate },
      { name: "max", most: concurrency.max },
      { name: "waiting", most: waiting.sessions },
    ];
  const set = chances?.limits ?? plain.flatMap((one) => isSet(one) ? [one] : []);
  return set.map((one) => ({ ...one, full: isFull(one, count) }));
}

function isSet(
  one: Pick<Fullness, "name"> & { readonly most: Fullness["most"] | undefined },
): one is Fullness {
  const { most } = one;
  return most !== undefined && (typeof most === "number" ? most : most.count) !== Infinity;
}

/** Who has no turn waits for it; and datagrams are another kind than who is asked about. */
function isFull({ name, most, now = 0, tokens }: Fullness, count: number): boolean {
  if (name === "max" || name === "waiting" || name === "datagramRate") return false;
  if (name === "load") return now > 0;
  if (typeof most === "number") return count > most - now;
  return count > Math.floor((tokens ?? most.burst ?? most.count) + 1e-9);
}

/** How full it is, in words. */
export function fullnessText({ name, now, tokens, rests }: LimitLine): string {
  if (name === "load") return now === 0 ? "not too high" : "too high";
  if (rests !== undefined) return `it rests for ${Math.ceil(rests / 1000)} s more`;
  if (now !== undefined) return `${now} now`;
  return tokens === undefined ? "" : `${Math.floor(tokens * 10 + 1e-9) / 10} left`;
}
