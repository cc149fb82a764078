/** What shows that a text goes on where it was cut. */
export const MARK = "…";

const encoder = new TextEncoder();

/** The length of a text in UTF-8, in bytes. */
export function sizeOf(text: string): number {
  return ASCII.test(text) ? text.length : encoder.encode(text).length;
}

/** US-ASCII, all of it. */
export const ASCII = /^[\0-\x7f]*$/;

/**
 * The text if it has at most `limit` bytes in UTF-8; else so much of it, in whole characters, as
 * fits before the {@link MARK}.
 */
export function cut(text: string, limit: number): string {
  if (text.length * 3 <= limit || sizeOf(text) <= limit) return text;
  const room = limit - sizeOf(MARK);
  if (room < 0) return "";
  const { read } = encoder.encodeInto(text, new Uint8Array(room));
  return text.slice(0, read) + MARK;
}
