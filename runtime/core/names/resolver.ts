/** Who knows names and addresses: DNS, mostly. The core asks; how it is asked is somebody else's. */

/** What is known of a name or an address, for a time. */
export interface Found {
  /** Addresses, or names in small letters without a dot at their end; empty: there are none. */
  readonly values: readonly string[];
  /** How long that may be relied on, in ms. */
  readonly ttl: number;
}

/** Each question is answered in bounded time, or rejected: then nobody has said anything. */
export interface Resolver {
  /**
   * The addresses of a host; of one family where the other is of no use.
   *
   * @param name with a dot at its end it is whole, and no domain of this machine is put behind it.
   */
  addresses(name: string, family?: 4 | 6): Promise<Found>;
  /** The names that an address claims. Whoever has the address says so: they are to be confirmed. */
  names(address: string): Promise<Found>;
}

/** Bounds of what may be kept, in ms: a TTL of 0 is no reason to ask for each peer. */
export const TTL = { least: 5_000, most: 24 * 3600_000, none: 3600_000 } as const;

/** How long what was found is kept. */
export function keptFor({ values, ttl }: Found): number {
  return Math.max(TTL.least, Math.min(values.length === 0 ? TTL.none : TTL.most, ttl));
}
