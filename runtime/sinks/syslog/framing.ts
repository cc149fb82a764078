/** Where one message ends and the next begins, on a stream. */
import type { Framing } from "../link/stream.ts";

const encoder = new TextEncoder();

/** By name: RFC 6587 §3.4.1 and RFC 5425; RFC 6587 §3.4.2; and what syslog(3) does on a Unix stream. */
export const FRAMINGS = {
  "octet-counting": (frame) => join(encoder.encode(`${frame.length} `), frame),
  lf: (frame) => join(frame, LF),
  nul: (frame) => join(frame, NUL),
} as const satisfies Readonly<Record<string, Framing>>;

/** The name of a framing. */
export type FramingName = keyof typeof FRAMINGS;

const LF = new Uint8Array([10]);
const NUL = new Uint8Array([0]);

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}
