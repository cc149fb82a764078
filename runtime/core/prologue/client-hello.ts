/** What a TLS client says first: the names that it asks for. No I/O, and nothing of cryptography; RFC 8446, 4.1.2. */

/** What a ClientHello says. */
export interface ClientHello {
  /** The server's name that it asks for, in lower case; RFC 6066, 3. */
  readonly serverName?: string;
  /** The protocols that it offers, as the client likes them best; RFC 7301. */
  readonly alpn: readonly string[];
}

/** Bytes of a ClientHello that are looked at; those of browsers come to some 2 KiB, with keys of the day after tomorrow. */
export const MOST_HELLO = 16 * 1024;

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const ALPN = 16;

/** The ClientHello that `bytes` begin with; "more" when its end has not come yet, "none" when it is none. */
export function readClientHello(bytes: Uint8Array): ClientHello | "more" | "none" {
  const message = handshakeOf(bytes);
  if (typeof message === "string") return message;
  try {
    return parse(new Cursor(message, 4, message.length));
  } catch {
    return "none";
  }
}

/** The first handshake message, whose fragments may come in several TLS records. */
function handshakeOf(bytes: Uint8Array): Uint8Array | "more" | "none" {
  let message: Uint8Array | undefined;
  let filled = 0;
  for (let at = 0;;) {
    const left = bytes.length - at;
    if (left > 0 && bytes[at] !== HANDSHAKE || left > 1 && bytes[at + 1] !== 3) return "none";
    if (left < 5) return "more";
    const length = bytes[at + 3]! << 8 | bytes[at + 4]!;
    if (length === 0) return "none";
    const part = bytes.subarray(at + 5, at + 5 + length);
    // All of it is in one record, as nearly always: then nothing is copied.
    if (at === 0) message = part;
    else {
      if (filled === message!.length) message = grown(message!, bytes.length);
      message!.set(part, filled);
    }
    filled += part.length;
    if (filled > 0 && message![0] !== CLIENT_HELLO) return "none";
    if (filled >= 4) {
      const whole = 4 + (message![1]! << 16 | message![2]! << 8 | message![3]!);
      if (whole > MOST_HELLO) return "none";
      if (filled >= whole) return message!.subarray(0, whole);
    }
    if (part.length < length) return "more";
    at += 5 + length;
  }
}

function grown(bytes: Uint8Array, length: number): Uint8Array {
  const more = new Uint8Array(length);
  more.set(bytes);
  return more;
}

/** Reads numbers and vectors of known bounds. @throws RangeError beyond them. */
class Cursor {
  readonly #bytes: Uint8Array;
  #at: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.#at;
  }

  /** A number of so many bytes. */
  number(size: number): number {
    const from = this.#claim(size);
    let value = 0;
    for (let at = from; at < from + size; at++) value = value << 8 | this.#bytes[at]!;
    return value;
  }

  /** What a length of so many bytes is about. */
  vector(size: number): Cursor {
    const length = this.number(size);
    const at = this.#claim(length);
    return new Cursor(this.#bytes, at, at + length);
  }

  skip(length: number): void {
    this.#claim(length);
  }

  text(): string {
    return String.fromCharCode(...this.#bytes.subarray(this.#at, this.#end));
  }

  #claim(length: number): number {
    if (length > this.left) throw new RangeError("beyond the end");
    const at = this.#at;
    this.#at += length;
    return at;
  }
}

function parse(hello: Cursor): ClientHello {
  // The version, and the random number.
  hello.skip(2 + 32);
  // The session, the ciphers, the ways of compression.
  hello.vector(1);
  hello.vector(2);
  hello.vector(1);
  let serverName: string | undefined;
  const alpn: string[] = [];
  // TLS 1.0 knows none.
  const extensions = hello.left > 0 ? hello.vector(2) : hello;
  while (extensions.left > 0) {
    const type = extensions.number(2);
    const body = extensions.vector(2);
    if (type === SERVER_NAME) {
      const names = body.vector(2);
      while (names.left > 0) {
        const kind = names.number(1);
        const name = names.vector(2);
        if (kind === 0) serverName ??= name.text().toLowerCase();
      }
    } else if (type === ALPN) {
      const names = body.vector(2);
      while (names.left > 0) alpn.push(names.vector(1).text());
    }
  }
  return { alpn, ...(serverName !== undefined && { serverName }) };
}
