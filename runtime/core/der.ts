/** The distinguished encoding rules of ASN.1 (X.690), as far as certificates need them: elements, read and written. */

/** The tags of elements. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectId: 0x06,
  utf8String: 0x0c,
  latin1String: 0x14,
  utcTime: 0x17,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** That of an element whose meaning depends on where it is, as `[3]`; one that is `explicit` has another one in it. */
export function contextTag(number: number, explicit = false): number {
  return (explicit ? 0xa0 : 0x80) | number;
}

/** One element: its tag, and where its contents are. */
export interface Element {
  readonly tag: number;
  readonly bytes: Uint8Array;
  /** Where the next one begins, in what it was read from. */
  readonly end: number;
}

/** @throws RangeError where the bytes end before it does. */
export function elementAt(bytes: Uint8Array, at: number): Element {
  const tag = bytes[at]!;
  let length = bytes[at + 1]!;
  let from = at + 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + bytes[from++]!;
  }
  const end = from + length;
  if (!(end <= bytes.length)) throw new RangeError("an element of a certificate is cut off");
  return { tag, bytes: bytes.subarray(from, end), end };
}

/** What an element is made of. @throws RangeError where the bytes end before the last one does. */
export function partsOf(bytes: Uint8Array): Element[] {
  const parts: Element[] = [];
  for (let at = 0; at < bytes.length;) {
    const part = elementAt(bytes, at);
    parts.push(part);
    at = part.end;
  }
  return parts;
}

/** What an object identifier's contents say: `2.5.4.3`. */
export function readObjectId(bytes: Uint8Array): string {
  const numbers: number[] = [];
  let number = 0;
  for (const byte of bytes) {
    number = number * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    if (numbers.length === 0) {
      const first = Math.min(2, Math.floor(number / 40));
      numbers.push(first, number - first * 40);
    } else numbers.push(number);
    number = 0;
  }
  return numbers.join(".");
}

/** An element, of what it is made of. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const length: number[] = [];
  for (let rest = size; rest > 0; rest = Math.floor(rest / 256)) length.unshift(rest % 256);
  const head = size < 0x80 ? [tag, size] : [tag, 0x80 | length.length, ...length];
  const bytes = new Uint8Array(head.length + size);
  bytes.set(head);
  let at = head.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** An object identifier. @param text as `2.5.4.3`. */
export function objectId(text: string): Uint8Array {
  const [first, second, ...more] = text.split(".").map(Number);
  const bytes = [first! * 40 + second!, ...more].flatMap((number) => {
    const digits = [number & 0x7f];
    for (let rest = Math.floor(number / 128); rest > 0; rest = Math.floor(rest / 128)) {
      digits.unshift(0x80 | rest % 128);
    }
    return digits;
  });
  return element(TAG.objectId, Uint8Array.from(bytes));
}
