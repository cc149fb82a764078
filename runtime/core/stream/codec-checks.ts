/** A codec may be a plugin's own: what it is, and what it answers, is checked. */
import { given, objectWith } from "../arguments.ts";
import type { Frame, Parsed } from "./codec.ts";

/** @throws TypeError for what is no codec. */
export function checkCodec(call: string, codec: unknown): void {
  objectWith(`codec of ${call}`, "a codec (an object with a method next)", codec, "next");
}

/**
 * What a codec has found among `length` bytes.
 *
 * @throws TypeError for an answer that can never be right: a session would wait for ever, or read the same for ever.
 */
export function checkFound(
  found: Frame | Parsed<unknown> | number,
  length: number,
): Frame | Parsed<unknown> | number {
  if (typeof found === "number") {
    if (Number.isFinite(found)) return found;
  } else if (typeof found === "object" && found !== null) {
    if ("value" in found) {
      if (isPlace(found.next, 1, length)) return found;
      throw new TypeError(
        `next of a codec: a value with a next of 1 to ${length} is due; received next ${
          given(found.next)
        }`,
      );
    }
    const { start, end, next } = found;
    const inside = isPlace(start, 0, length) && isPlace(end, start, length) &&
      isPlace(next, 1, length);
    if (inside) return found;
    throw new TypeError(
      `next of a codec: a frame within the ${length} bytes that it was shown is due, and a next above 0; ` +
        `received start ${given(start)}, end ${given(end)}, next ${given(next)}`,
    );
  }
  throw new TypeError(
    `next of a codec: a frame, or how many bytes are needed, is due; received ${given(found)}`,
  );
}

function isPlace(value: unknown, least: number, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}
