import { given, LIMIT, wholeNumber, wrongType } from "../arguments.ts";
import { PorticoError } from "../errors.ts";

/**
 * Finds frames in a stream. It never sees the stream itself: it is asked about the bytes that are
 * there, and answers where the next frame lies. One codec may serve many sessions: it has no state.
 */
export interface Codec {
  /**
   * Looks at `bytes` from its start.
   *
   * @param from how far an earlier look, which found nothing, has already searched.
   * @returns the frame's `start`, its `end`, and `next`, where the following one begins; a number
   * instead says how many bytes are needed before another look makes sense (at least one more).
   * @throws PorticoError FRAME_TOO_LONG.
   */
  next(bytes: Uint8Array, from: number): Frame | number;
}

/** Where a frame lies in the bytes that a {@link Codec} was shown. */
export interface Frame {
  readonly start: number;
  readonly end: number;
  readonly next: number;
}

/** The largest frame of a codec that names none, in bytes. */
export const FRAME_MAX: number = 64 * 1024;

const SIZE = { least: 1, most: 2 ** 32 - 1, due: "a whole number of bytes, 1 to 4294967295," };

/** Frames after their length, an unsigned big-endian number of 1, 2 or 4 bytes that does not count itself. */
export function lengthPrefixed(width: 1 | 2 | 4, max: number = FRAME_MAX): Codec {
  if (width !== 1 && width !== 2 && width !== 4) {
    throw new RangeError(
      `width of lengthPrefixed(width, max): 1, 2 or 4 is due; received ${given(width)}`,
    );
  }
  const call = "lengthPrefixed(width, max)";
  wholeNumber(`max of ${call}`, max, LIMIT);
  return {
    next(bytes) {
      if (bytes.length < width) return width;
      let length = 0;
      for (let i = 0; i < width; i++) length = length * 256 + bytes[i]!;
      if (length > max) throw tooLong(length, max, call);
      const end = width + length;
      return bytes.length < end ? end : { start: width, end, next: end };
    },
  };
}

/** Frames of one size. */
export function fixed(size: number): Codec {
  wholeNumber("size of fixed(size)", size, SIZE);
  const frame: Frame = { start: 0, end: size, next: size };
  return { next: (bytes) => bytes.length < size ? size : frame };
}

/** Frames that end with `mark`, which does not belong to them. */
export function delimited(mark: Uint8Array | string, max: number = FRAME_MAX): Codec {
  return endingWith("mark", "delimited(mark, max)", mark, max);
}

/** As {@link delimited}, for a call that is its plugin's: what is wrong, or too long, is said of that. */
export function endingWith(
  name: string,
  call: string,
  mark: Uint8Array | string,
  max: number = FRAME_MAX,
): Codec {
  if (typeof mark !== "string" && !(mark instanceof Uint8Array)) {
    throw wrongType(`${name} of ${call}`, "text or bytes (a Uint8Array)", mark);
  }
  const sought = typeof mark === "string" ? new TextEncoder().encode(mark) : mark;
  if (sought.length === 0) {
    throw new RangeError(`${name} of ${call}: at least 1 byte is due; received none`);
  }
  wholeNumber(`max of ${call}`, max, LIMIT);
  return {
    next(bytes, from) {
      const at = indexOf(bytes, sought, Math.max(0, from - sought.length + 1));
      if (at > max) throw tooLong(at, max, call);
      if (at >= 0) return { start: 0, end: at, next: at + sought.length };
      // The mark may have begun already: its bytes are not the frame's.
      if (bytes.length >= max + sought.length) throw tooLong(bytes.length, max, call);
      return bytes.length + 1;
    },
  };
}

function indexOf(bytes: Uint8Array, sought: Uint8Array, from: number): number {
  const first = sought[0]!;
  const last = bytes.length - sought.length;
  search: for (let at = bytes.indexOf(first, from); at >= 0 && at <= last;) {
    for (let i = 1; i < sought.length; i++) {
      if (bytes[at + i] !== sought[i]) {
        at = bytes.indexOf(first, at + 1);
        continue search;
      }
    }
    return at;
  }
  return -1;
}

function tooLong(received: number, max: number, call: string): PorticoError {
  return new PorticoError(
    "FRAME_TOO_LONG",
    `a frame of ${received} bytes or more: at most ${max} are allowed; a larger max of ${call} allows more`,
  );
}
