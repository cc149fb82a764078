/** Splits of an input, for properties that must not depend on them. */
import fc from "fast-check";

/** How often a property is tried: enough for a suite that runs often, under four runtimes. */
export const RUNS = { numRuns: 150 } as const;

/** Bytes, and the places where they are cut. */
export const cut: fc.Arbitrary<{ readonly whole: Uint8Array; readonly chunks: Uint8Array[] }> =
  cutOf(
    fc.uint8Array({ maxLength: 300 }),
  );

/** The same of bytes of one's own choice. */
export function cutOf(bytes: fc.Arbitrary<Uint8Array>) {
  return fc.tuple(bytes, fc.array(fc.nat(), { maxLength: 12 }), fc.boolean()).map(
    ([whole, places, single]) => {
      const at = single
        ? Array.from(whole, (_, i) => i)
        : [...new Set(places.map((place) => whole.length === 0 ? 0 : place % whole.length))];
      const ends = [...at.filter((place) => place > 0).sort((a, b) => a - b), whole.length];
      const chunks: Uint8Array[] = [];
      let start = 0;
      for (const end of ends) {
        if (end > start) chunks.push(whole.slice(start, end));
        start = end;
      }
      return { whole, chunks };
    },
  );
}
