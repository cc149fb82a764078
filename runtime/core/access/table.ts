/** What holds for each address, looked up in a time that hardly grows with the number of ranges. */
import { type IpRange, sizeOf } from "./ip.ts";

/** Something that holds for a range of addresses. */
export interface Entry extends IpRange {
  /** Its place among those of the same size: the lower one comes first. */
  readonly order: number;
  /** It may hold or not when it is asked: then what is less exact is asked next. */
  readonly conditional: boolean;
}

const NOTHING: readonly never[] = [];

/**
 * The ranges of one family, cut where any of them begins or ends. For each piece stands there which
 * ranges cover it, the smallest first, as far as somebody may have to ask: to the first that holds
 * in any case. A look is a binary search in numbers.
 */
export class RangeTable<Of extends Entry> {
  /** Words of an address: 1 of IPv4, 4 of IPv6. */
  readonly #words: number;
  /** Where the pieces begin, in order; `#words` numbers each. */
  readonly #starts: Uint32Array;
  /** For each piece, in order. */
  readonly covers: readonly (readonly Of[])[];

  /** @param entries of one family. */
  constructor(family: 4 | 6, entries: readonly Of[]) {
    this.#words = family === 4 ? 1 : 4;
    const { starts, covers } = cut(entries, 1n << BigInt(32 * this.#words));
    this.covers = covers;
    this.#starts = new Uint32Array(starts.length * this.#words);
    for (const [index, start] of starts.entries()) {
      this.#starts.set(wordsOf(start, this.#words), index * this.#words);
    }
  }

  /** What covers an address, the most exact first; it is shared, and not to be changed. */
  covering(address: Uint32Array): readonly Of[] {
    let low = 0;
    let high = this.covers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isAfter(middle, address)) high = middle;
      else low = middle + 1;
    }
    return low === 0 ? NOTHING : this.covers[low - 1]!;
  }

  /** As {@link covering}. */
  coveringBits(address: bigint): readonly Of[] {
    return this.covering(wordsOf(address, this.#words));
  }

  /** Whether piece `index` begins after `address`. */
  #isAfter(index: number, address: Uint32Array): boolean {
    const at = index * this.#words;
    for (let word = 0; word < this.#words; word++) {
      const difference = this.#starts[at + word]! - address[word]!;
      if (difference !== 0) return difference > 0;
    }
    return false;
  }
}

function wordsOf(address: bigint, count: number): Uint32Array {
  return Uint32Array.from(
    { length: count },
    (_, word) => Number(address >> BigInt(32 * (count - 1 - word)) & 0xffff_ffffn),
  );
}

/** Smaller ranges first, then by `order`. */
export function compareEntries(a: Entry, b: Entry): number {
  const [left, right] = [sizeOf(a), sizeOf(b)];
  return left < right ? -1 : left > right ? 1 : a.order - b.order;
}

/**
 * A sweep over all ends: what is active between two of them covers what lies between.
 *
 * @param end behind the last address that there is.
 */
function cut<Of extends Entry>(
  entries: readonly Of[],
  end: bigint,
): { starts: bigint[]; covers: (readonly Of[])[] } {
  const ranked = entries.toSorted(compareEntries);
  /** Of an entry, its place in `ranked`. */
  const edges: { at: bigint; rank: number; begins: boolean }[] = [];
  for (const [rank, { first, last }] of ranked.entries()) {
    edges.push({ at: first, rank, begins: true });
    if (last + 1n < end) edges.push({ at: last + 1n, rank, begins: false });
  }
  edges.sort((a, b) => a.at < b.at ? -1 : a.at > b.at ? 1 : 0);
  const starts: bigint[] = [];
  const covers: (readonly Of[])[] = [];
  const shared = new Map<string, readonly Of[]>();
  const active: number[] = [];
  for (let i = 0; i < edges.length;) {
    const { at } = edges[i]!;
    for (; i < edges.length && edges[i]!.at === at; i++) {
      const { rank, begins } = edges[i]!;
      const place = placeOf(active, rank);
      if (begins) active.splice(place, 0, rank);
      else active.splice(place, 1);
    }
    starts.push(at);
    covers.push(coverOf(active, ranked, shared));
  }
  return { starts, covers };
}

function coverOf<Of extends Entry>(
  active: readonly number[],
  ranked: readonly Of[],
  shared: Map<string, readonly Of[]>,
): readonly Of[] {
  if (active.length === 0) return NOTHING;
  let length = 1;
  while (length < active.length && ranked[active[length - 1]!]!.conditional) length++;
  const ranks = active.slice(0, length);
  const key = ranks.join();
  let cover = shared.get(key);
  if (cover === undefined) shared.set(key, cover = ranks.map((rank) => ranked[rank]!));
  return cover;
}

/** Where a number stands, or belongs, among sorted ones. */
function placeOf(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
