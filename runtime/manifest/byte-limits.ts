/** Limits of bytes as a manifest says them. */
import { kindOf } from "../core/endpoint.ts";
import type { ListenPlan, RateLimit } from "../core/plan.ts";
import { byteRate, eachWay, entry, factor, size } from "../values/fields.ts";
import type { Path } from "../values/problem.ts";
import { isInherited } from "./inherited.ts";
import type { CheckedDefaults, CheckedService } from "./schema.ts";
import type { Problems } from "./source.ts";

const BYTES_PER_SECOND = 'bytes a second: "1MiB", "64KiB burst 1MiB", or { "in": …, "out": … }';
const BYTES = 'a size, or { "in": "1MiB", "out": "10MiB" }; "none" for no limit';

/** Their keys in `limits`. */
export const BYTE_ENTRIES = {
  bytesPerSecond: entry(
    "bytes a second of one session, each way: reading rests, and what is written waits; not of datagrams",
    () => eachWay(BYTES_PER_SECOND, byteRate),
  ),
  bytes: entry(
    "bytes of one session, each way: beyond it a session ends, a request or a datagram is refused",
    () => eachWay(BYTES, () => size(true)),
  ),
  amplification: entry(
    "how many times the bytes of a datagram may be sent in answer to it over UDP, while its sender has not shown that it is there",
    factor,
  ),
};

/** What is said for each way, of which one may be said alone. */
const EACH_WAY = ["bytesPerSecond", "bytes"] as const;
type Ways = Readonly<Partial<Record<"in" | "out", number | RateLimit | undefined>>>;

/** Puts those into `limits` that blocks of a manifest come to; what stands later wins, for each way. */
export function mergeWays(
  limits: Record<string, unknown>,
  blocks: readonly (CheckedDefaults["limits"] | undefined)[],
): void {
  for (const key of EACH_WAY) {
    delete limits[key];
    const ways: Ways = Object.assign({}, ...blocks.map((block) => withoutSilent(block?.[key])));
    const limited = Object.entries(ways).filter(([, limit]) =>
      (typeof limit === "object" ? limit.count : limit) !== Infinity
    );
    if (limited.length > 0) limits[key] = Object.fromEntries(limited);
  }
}

function withoutSilent(ways: Ways = {}): Ways {
  return Object.fromEntries(Object.entries(ways).filter(([, limit]) => limit !== undefined));
}

/** A limit of streams that means nothing to datagrams, and one of datagrams, where a service has no others. */
export function checkDatagramLimits(
  problems: Problems,
  service: Partial<CheckedService>,
  listen: readonly ListenPlan[],
  path: Path,
): void {
  const { bytesPerSecond, amplification = Infinity } = service.limits ?? {};
  const udp = listen.some(({ endpoint }) => isInherited(endpoint) || endpoint.transport === "udp");
  if (amplification !== Infinity && !udp && listen.length > 0) {
    problems.add(
      [...path, "limits", "amplification"],
      '"amplification" where nothing is listened for over UDP',
      "a udp endpoint: everywhere else a peer is where it says it is",
      { part: "key" },
    );
  }
  const others = listen.some(({ endpoint }) =>
    isInherited(endpoint) || kindOf(endpoint.transport) !== "datagram"
  );
  if (others || listen.length === 0 || bytesPerSecond === undefined) return;
  problems.add(
    [...path, "limits", "bytesPerSecond"],
    '"bytesPerSecond" where only datagrams are listened for',
    "ratePerSource, which counts datagrams: one that has come cannot be slowed down",
    { part: "key" },
  );
}
