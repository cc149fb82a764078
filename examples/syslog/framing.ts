import type { Codec } from "portico";
import { PorticoError } from "portico";

/** The longest message, in bytes. */
const LONGEST = 64 * 1024;

/**
 * Messages on a stream, as RFC 6587 has them: those that begin with a digit are counted (§3.4.1), the
 * others end with LF or NUL (§3.4.2). A message of syslog begins with `<`, so there is no doubt.
 */
export const syslogFrames: Codec = {
  next(bytes, from) {
    if (bytes.length === 0) return 1;
    return bytes[0]! >= 0x30 && bytes[0]! <= 0x39 ? counted(bytes) : ended(bytes, from);
  },
};

function counted(bytes: Uint8Array): ReturnType<Codec["next"]> {
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const digit = bytes[at]! - 0x30;
    if (bytes[at] === 0x20) {
      const start = at + 1;
      const end = start + length;
      return bytes.length < end ? end : { start, end, next: end };
    }
    if (digit < 0 || digit > 9) {
      throw new PorticoError("FRAME_TOO_LONG", "a message length is no number");
    }
    length = length * 10 + digit;
    if (length > LONGEST) throw tooLong();
  }
  return bytes.length + 1;
}

function ended(bytes: Uint8Array, from: number): ReturnType<Codec["next"]> {
  for (let at = from; at < bytes.length; at++) {
    if (bytes[at] === 0x0a || bytes[at] === 0) return { start: 0, end: at, next: at + 1 };
  }
  if (bytes.length > LONGEST) throw tooLong();
  return bytes.length + 1;
}

function tooLong(): PorticoError {
  return new PorticoError("FRAME_TOO_LONG", `a message is longer than ${LONGEST} bytes`);
}
