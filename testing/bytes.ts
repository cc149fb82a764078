/** Bytes that a test sends, gets and looks at. */

/** What can be sent. */
export type Data = string | Uint8Array;

const encoder = new TextEncoder();

/** A copy, or the text in UTF-8. @throws TypeError for what is neither. */
export function toBytes(data: Data): Uint8Array {
  if (typeof data === "string") return encoder.encode(data);
  if (data instanceof Uint8Array) return new Uint8Array(data);
  throw new TypeError(`text or a Uint8Array is needed: received ${typeof data}`);
}

export function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** The text of bytes that are UTF-8; undefined of others. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** One character for each byte. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Of more than this nobody reads all. */
const SHOWN = 160;

/** As a person reads it: `"text\n"`, or `<00 ff> (2 bytes)`. */
export function show(bytes: Uint8Array): string {
  if (bytes.length === 0) return "nothing";
  const text = textOf(bytes);
  const more = bytes.length > SHOWN ? ` … (${bytes.length} bytes)` : "";
  // deno-lint-ignore no-control-regex
  if (text !== undefined && !/[\0-\x08\x0e-\x1f\x7f]/.test(text)) {
    return `${JSON.stringify(text.slice(0, SHOWN))}${more}`;
  }
  const hex = [...bytes.subarray(0, SHOWN / 3)].map((byte) => byte.toString(16).padStart(2, "0"));
  return `<${hex.join(" ")}${bytes.length > SHOWN / 3 ? " …" : ""}> (${bytes.length} bytes)`;
}

/** Where two differ first: the length of what they begin with both. */
export function commonLength(one: Uint8Array, other: Uint8Array): number {
  let at = 0;
  while (at < one.length && at < other.length && one[at] === other[at]) at++;
  return at;
}
