import { given, LIMIT, wholeNumber, wrongType } from "../arguments.ts";
import { PorticoError } from "../errors.ts";

/**
 * Finds frames in a stream, and makes values of them. It never sees the stream itself: it is asked
 * about the bytes that are there, and answers where the next frame lies, or what it says. One codec may
 * serve many sessions: it has no state.
 *
 * @typeParam Value of a frame: its bytes, when the codec says no more.
 */
export interface Codec<Value = Uint8Array> {
  /**
   * Looks at `bytes` from its start.
   *
   * @param from how far an earlier look, which found nothing, has already searched.
   * @returns the frame, or its value; a number instead says how many bytes are needed before another
   * look makes sense (at least one more).
   * @throws PorticoError FRAME_TOO_LONG. What it throws ends the read; the bytes stay where they are.
   */
  next(bytes: Uint8Array, from: number): Found<Value> | number;
  /** What the bytes are that are left when the peer has ended: without it, UNEXPECTED_END. */
  last?(bytes: Uint8Array): Value;
  /** The bytes of one frame, to be written. @throws RangeError for what no frame can hold. */
  encode?(value: Value): Uint8Array | string;
}

/** A codec that writes what it reads, as those of this package. */
export interface TwoWayCodec<Value = Uint8Array, Written extends Uint8Array | string = Uint8Array>
  extends Codec<Value> {
  encode(value: Value): Written;
}

/** What a {@link Codec} has found: of bytes their place, of all else the value. */
export type Found<Value> = [Value] extends [Uint8Array] ? Frame : Parsed<Value>;

/** Where a frame lies in the bytes that a {@link Codec} was shown. */
export interface Frame {
  readonly start: number;
  readonly end: number;
  /** Where the following frame begins. */
  readonly next: number;
}

/** What a frame says. Where chunks are lent, in push form, it must not hold views of its bytes. */
export interface Parsed<Value> {
  readonly value: Value;
  /** Where the following frame begins. */
  readonly next: number;
}

/**
 * How the codecs of this package look for frames: among bytes that need no view of their own, with an
 * answer that needs no object. It is a property of their `next`, so that it goes where that goes.
 */
export interface Ruler {
  /** Bytes of a frame before what it says, and after. */
  readonly head: number;
  readonly tail: number;
  /**
   * How many bytes lie between these; when there is no whole frame how many bytes are needed, negative.
   *
   * @param searched how many, from `start`, an earlier look has already searched.
   */
  measure(bytes: Uint8Array, start: number, end: number, searched: number): number;
  /** What they say; themselves when silent. */
  value?(bytes: Uint8Array, start: number, end: number): unknown;
}

const RULER: unique symbol = Symbol("ruler");

type Next<Value> = Codec<Value>["next"] & { readonly [RULER]?: Ruler };

/** Of a codec of this package. */
export function rulerOf({ next }: Codec<unknown>): Ruler | undefined {
  return (next as Next<unknown>)[RULER];
}

/** As anybody's codec finds frames. */
function nextBy<Value>(ruler: Ruler): Codec<Value>["next"] {
  const { head, tail } = ruler;
  const next = (bytes: Uint8Array, from: number): Frame | Parsed<unknown> | number => {
    const length = ruler.measure(bytes, 0, bytes.length, from);
    if (length < 0) return -length;
    const end = head + length;
    return ruler.value === undefined
      ? { start: head, end, next: end + tail }
      : { value: ruler.value(bytes, head, end), next: end + tail };
  };
  return Object.assign(next, { [RULER]: ruler }) as Codec<Value>["next"];
}

/** The largest frame of a codec that names none, in bytes. */
export const FRAME_MAX: number = 64 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const LF = new Uint8Array([10]);

const SIZE = { least: 1, most: 2 ** 32 - 1, due: "a whole number of bytes, 1 to 4294967295," };

/** Frames after their length, an unsigned big-endian number of 1, 2 or 4 bytes that does not count itself. */
export function lengthPrefixed(width: 1 | 2 | 4, max: number = FRAME_MAX): TwoWayCodec {
  if (width !== 1 && width !== 2 && width !== 4) {
    throw new RangeError(
      `width of lengthPrefixed(width, max): 1, 2 or 4 is due; received ${given(width)}`,
    );
  }
  const call = "lengthPrefixed(width, max)";
  wholeNumber(`max of ${call}`, max, LIMIT);
  return {
    next: nextBy<Uint8Array>({
      head: width,
      tail: 0,
      measure(bytes, start, end) {
        const there = end - start;
        if (there < width) return -width;
        let length = 0;
        for (let i = 0; i < width; i++) length = length * 256 + bytes[start + i]!;
        if (length > max) throw tooLong(length, max, call);
        return there < width + length ? -(width + length) : length;
      },
    }),
    encode(frame) {
      const most = Math.min(max, 256 ** width - 1);
      if (frame.length > most) {
        throw new RangeError(`a frame has at most ${most} bytes: received ${frame.length}`);
      }
      const bytes = new Uint8Array(width + frame.length);
      for (let i = width, rest = frame.length; i-- > 0; rest = Math.floor(rest / 256)) {
        bytes[i] = rest;
      }
      bytes.set(frame, width);
      return bytes;
    },
  };
}

/** Frames of one size. */
export function fixed(size: number): TwoWayCodec {
  wholeNumber("size of fixed(size)", size, SIZE);
  return {
    next: nextBy<Uint8Array>({
      head: 0,
      tail: 0,
      measure: (_bytes, start, end) => end - start < size ? -size : size,
    }),
    encode(bytes) {
      if (bytes.length === size) return bytes;
      throw new RangeError(`a frame has ${size} bytes: received ${bytes.length}`);
    },
  };
}

/** Frames that end with `mark`, which does not belong to them. */
export function delimited(mark: Uint8Array | string, max: number = FRAME_MAX): TwoWayCodec {
  return endingWith("mark", "delimited(mark, max)", mark, max);
}

/** As {@link delimited}, for a call that is its plugin's: what is wrong, or too long, is said of that. */
export function endingWith(
  name: string,
  call: string,
  mark: Uint8Array | string,
  max: number = FRAME_MAX,
): TwoWayCodec {
  if (typeof mark !== "string" && !(mark instanceof Uint8Array)) {
    throw wrongType(`${name} of ${call}`, "text or bytes (a Uint8Array)", mark);
  }
  const sought = typeof mark === "string" ? encoder.encode(mark) : new Uint8Array(mark);
  if (sought.length === 0) {
    throw new RangeError(`${name} of ${call}: at least 1 byte is due; received none`);
  }
  wholeNumber(`max of ${call}`, max, LIMIT);
  return {
    next: nextBy<Uint8Array>({
      head: 0,
      tail: sought.length,
      measure: (bytes, start, end, searched) =>
        seek(bytes, start, end, searched, sought, max, call),
    }),
    encode(frame) {
      if (indexOf(frame, sought, 0, frame.length) >= 0) {
        throw new RangeError("a frame does not hold its own delimiter");
      }
      const bytes = new Uint8Array(frame.length + sought.length);
      bytes.set(frame);
      bytes.set(sought, frame.length);
      return bytes;
    },
  };
}

/** Lines without their LF or CRLF, UTF-8; they are written with CRLF. A last line without an end counts. */
export function lines(max: number = FRAME_MAX): TwoWayCodec<string, string> {
  const call = "lines(max)";
  wholeNumber(`max of ${call}`, max, LIMIT);
  return {
    next: nextBy<string>({
      head: 0,
      tail: 1,
      measure: (bytes, start, end, searched) => seek(bytes, start, end, searched, LF, max, call),
      value: toLine,
    }),
    last: (bytes) => toLine(bytes, 0, bytes.length),
    encode(line) {
      if (/[\r\n]/.test(line)) throw new RangeError("a line holds no CR and no LF");
      return `${line}\r\n`;
    },
  };
}

/**
 * How many bytes lie between `start` and `sought`, of which nothing is among the first `searched`; else
 * how many are needed, as a negative number.
 */
function seek(
  bytes: Uint8Array,
  start: number,
  end: number,
  searched: number,
  sought: Uint8Array,
  max: number,
  call: string,
): number {
  const tail = sought.length;
  const at = indexOf(bytes, sought, start + Math.max(0, searched - tail + 1), end) - start;
  if (at > max) throw tooLong(at, max, call);
  if (at >= 0) return at;
  const length = end - start;
  // The mark may have begun already: its bytes are not the frame's.
  if (length >= max + tail) throw tooLong(length, max, call);
  return -(length + 1);
}

function toLine(bytes: Uint8Array, start: number, end: number): string {
  const last = end > start && bytes[end - 1] === 13 ? end - 1 : end;
  return decoder.decode(bytes.subarray(start, last));
}

/** Bytes up to which a loop is quicker than a call into the runtime. */
const NEAR = 32;

/** Where `sought` lies between `from` and `end`; -1 when it does not. */
function indexOf(bytes: Uint8Array, sought: Uint8Array, from: number, end: number): number {
  const last = end - sought.length;
  search: for (let at = indexOfByte(bytes, sought[0]!, from, last); at >= 0;) {
    for (let i = 1; i < sought.length; i++) {
      if (bytes[at + i] !== sought[i]) {
        at = indexOfByte(bytes, sought[0]!, at + 1, last);
        continue search;
      }
    }
    return at;
  }
  return -1;
}

function indexOfByte(bytes: Uint8Array, byte: number, from: number, last: number): number {
  const near = Math.min(last, from + NEAR);
  for (let at = from; at <= near; at++) if (bytes[at] === byte) return at;
  if (near === last) return -1;
  const at = bytes.indexOf(byte, near + 1);
  return at > last ? -1 : at;
}

function tooLong(received: number, max: number, call: string): PorticoError {
  return new PorticoError(
    "FRAME_TOO_LONG",
    `a frame of ${received} bytes or more: at most ${max} are allowed; a larger max of ${call} allows more`,
  );
}
