import { toJson } from "./invisible.ts";

/** Longer text is the encoder's. */
const SHORT = 256;
/** Bytes that there is room for at first. */
const ROOM = 4096;
/** What has become larger than this is not kept. */
const KEPT = 256 * 1024;

/** Bytes that are copied one by one. */
const FEW = 32;

const ENCODER = new TextEncoder();

/**
 * Text that is put together as UTF-8. Where lines wait to be written together, that is cheaper than to
 * put together a string which is encoded then: nothing but bytes is there to be collected.
 */
export class TextBuffer {
  /** Bytes so far. Who makes it smaller takes back what came after. */
  length = 0;
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(ROOM);

  /** What was put; until more is. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.length);
  }

  clear(): void {
    this.length = 0;
    if (this.#bytes.length > KEPT) this.#bytes = new Uint8Array(ROOM);
  }

  text(text: string): void {
    const { length } = text;
    if (length > SHORT) return this.#encode(text);
    this.#reserve(length);
    const [bytes, start] = [this.#bytes, this.length];
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 126) return this.#encode(text);
      bytes[start + i] = code;
    }
    this.length = start + length;
  }

  /** What was encoded before. */
  raw(text: Uint8Array): void {
    const { length } = text;
    this.#reserve(length);
    const [bytes, start] = [this.#bytes, this.length];
    // For few bytes a call of `set` costs more.
    if (length > FEW) bytes.set(text, start);
    else for (let i = 0; i < length; i++) bytes[start + i] = text[i]!;
    this.length = start + length;
  }

  /** As JSON, in quotes. */
  quoted(text: string): void {
    const { length } = text;
    if (length > SHORT) return this.text(toJson(text)!);
    this.#reserve(length + 2);
    const [bytes, start] = [this.#bytes, this.length + 1];
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code < 32 || code > 126 || code === QUOTE || code === BACKSLASH) {
        return this.text(toJson(text)!);
      }
      bytes[start + i] = code;
    }
    bytes[start - 1] = bytes[start + length] = QUOTE;
    this.length = start + length + 1;
  }

  /** In decimal. */
  number(value: number): void {
    // Others are rare, or not worth a division.
    if (value !== (value | 0) || value < 0) return this.text(String(value));
    let digits = 1;
    for (let rest = value; rest >= 10; rest = rest / 10 | 0) digits++;
    this.#reserve(digits);
    let rest = value;
    for (let at = this.length + digits - 1; at >= this.length; at--) {
      const tenth = rest / 10 | 0;
      this.#bytes[at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    this.length += digits;
  }

  #encode(text: string): void {
    this.#reserve(text.length * 3);
    this.length += ENCODER.encodeInto(text, this.#bytes.subarray(this.length)).written;
  }

  #reserve(more: number): void {
    const size = this.length + more;
    if (size <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(size, 2 * this.#bytes.length));
    larger.set(this.bytes);
    this.#bytes = larger;
  }
}

const QUOTE = 34;
const BACKSLASH = 92;
const ZERO = 48;
