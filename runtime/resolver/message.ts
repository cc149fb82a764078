/** Messages of DNS (RFC 1035), as far as a client needs them that asks for addresses and names. */

/** What is asked for. */
export const TYPE = { A: 1, CNAME: 5, SOA: 6, PTR: 12, AAAA: 28, OPT: 41 } as const;
/** What a server has answered with. */
export const RCODE = { ok: 0, noName: 3 } as const;

/** What fits a datagram without fragments (DNS Flag Day 2020). */
const SIZE_MAX = 1232;
const CLASS_IN = 1;
/** Aliases on the way to an answer, at most. */
const ALIASES_MAX = 16;

/** One record of an answer. */
interface Resource {
  readonly name: string;
  readonly type: number;
  /** In seconds. */
  readonly ttl: number;
  /** Where its data begins and ends. */
  readonly from: number;
  readonly to: number;
}

/** What a server says. */
export interface Answer {
  readonly code: number;
  /** It did not fit: to be asked for again over TCP. */
  readonly truncated: boolean;
  /** Addresses, or names without a dot at the end. */
  readonly values: readonly string[];
  /** How long that holds, in seconds; of no answer, too. */
  readonly ttl: number;
}

/**
 * A question, with EDNS.
 *
 * @param name without a dot at its end, in ASCII.
 * @throws RangeError for what no name can be.
 */
export function encodeQuestion(id: number, name: string, type: number): Uint8Array {
  const bytes = new Uint8Array(12 + name.length + 2 + 4 + 11);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, id);
  // Recursion is desired; one question, one additional record.
  view.setUint16(2, 0x0100);
  view.setUint16(4, 1);
  view.setUint16(10, 1);
  let at = 12;
  for (const label of name.split(".")) {
    if (label === "" || label.length > 63) throw new RangeError(`${name} is no name`);
    bytes[at++] = label.length;
    for (let i = 0; i < label.length; i++) bytes[at++] = label.charCodeAt(i);
  }
  at++;
  view.setUint16(at, type);
  view.setUint16(at + 2, CLASS_IN);
  // Behind its empty name.
  view.setUint16(at + 5, TYPE.OPT);
  view.setUint16(at + 7, SIZE_MAX);
  return bytes;
}

/**
 * Reads an answer to a question.
 *
 * @returns undefined for what is none: another question's, or damaged.
 */
export function readAnswer(
  bytes: Uint8Array,
  id: number,
  name: string,
  type: number,
): Answer | undefined {
  try {
    return new Reader(bytes).answer(id, name.toLowerCase(), type);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** What leads out of the message throws a RangeError, as a DataView does. */
class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 12;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  answer(id: number, name: string, type: number): Answer | undefined {
    const flags = this.#view.getUint16(2);
    if (this.#view.getUint16(0) !== id || (flags & 0x8000) === 0) return undefined;
    if (this.#view.getUint16(4) !== 1) return undefined;
    const [asked, askedType] = [this.#name(), this.#number()];
    this.#at += 2;
    if (asked !== name || askedType !== type) return undefined;
    const [answers, authority] = [this.#view.getUint16(6), this.#view.getUint16(8)];
    const truncated = (flags & 0x0200) !== 0;
    const code = flags & 15;
    if (truncated) return { code, truncated, values: [], ttl: 0 };
    const resources = Array.from({ length: answers }, () => this.#resource());
    const { values, ttl } = this.#follow(resources, name, type);
    if (values.length > 0) return { code, truncated, values, ttl };
    const others = Array.from({ length: authority }, () => this.#resource());
    return { code, truncated, values, ttl: this.#negative(others) };
  }

  #number(): number {
    this.#at += 2;
    return this.#view.getUint16(this.#at - 2);
  }

  /** Reads a name, which may go on further up in the message. */
  #name(): string {
    const labels: string[] = [];
    let at = this.#at;
    let jumped = false;
    let length = 0;
    for (;;) {
      const size = this.#view.getUint8(at++);
      if ((size & 0xc0) === 0xc0) {
        const target = (size & 0x3f) << 8 | this.#view.getUint8(at++);
        if (!jumped) this.#at = at;
        jumped = true;
        // Backwards only: so it comes to an end.
        if (target >= at - 2) throw new RangeError("a name that leads forward");
        at = target;
        if (++length > 255) throw new RangeError("a name without an end");
        continue;
      }
      if (size === 0) break;
      if (size > 63 || at + size > this.#bytes.length) throw new RangeError("no label");
      length += size + 1;
      if (length > 255) throw new RangeError("a name that is too long");
      labels.push(String.fromCharCode(...this.#bytes.subarray(at, at + size)));
      at += size;
    }
    if (!jumped) this.#at = at;
    return labels.join(".").toLowerCase();
  }

  #resource(): Resource {
    const name = this.#name();
    const type = this.#number();
    this.#at += 2;
    const ttl = this.#view.getUint32(this.#at);
    this.#at += 4;
    const size = this.#number();
    const from = this.#at;
    this.#at += size;
    if (this.#at > this.#bytes.length) throw new RangeError("a record that is cut off");
    // RFC 2181: one with the highest bit is none.
    return { name, type, ttl: ttl > 0x7fffffff ? 0 : ttl, from, to: this.#at };
  }

  /** From the name that was asked for, over its aliases, to what was asked. */
  #follow(
    resources: readonly Resource[],
    name: string,
    type: number,
  ): Omit<Answer, "code" | "truncated"> {
    let ttl = Infinity;
    let at = name;
    for (let count = 0; count <= ALIASES_MAX; count++) {
      const found = resources.filter((one) => one.name === at && one.type === type);
      if (found.length > 0) {
        const values = found.flatMap((one) => this.#value(one, type));
        return { values, ttl: Math.min(ttl, ...found.map((one) => one.ttl)) };
      }
      const alias = resources.find((one) => one.name === at && one.type === TYPE.CNAME);
      if (alias === undefined) break;
      ttl = Math.min(ttl, alias.ttl);
      this.#at = alias.from;
      at = this.#name();
    }
    return { values: [], ttl: 0 };
  }

  #value({ from, to }: Resource, type: number): string[] {
    if (type === TYPE.A) return to - from === 4 ? [this.#bytes.subarray(from, to).join(".")] : [];
    if (type === TYPE.AAAA) {
      if (to - from !== 16) return [];
      const parts = Array.from(
        { length: 8 },
        (_, part) => this.#view.getUint16(from + 2 * part).toString(16),
      );
      return [new URL(`http://[${parts.join(":")}]`).hostname.slice(1, -1)];
    }
    this.#at = from;
    return [this.#name()];
  }

  /** RFC 2308: how long it holds that there is nothing. */
  #negative(authority: readonly Resource[]): number {
    const soa = authority.find(({ type }) => type === TYPE.SOA);
    if (soa === undefined || soa.to - soa.from < 20) return 0;
    return Math.min(soa.ttl, this.#view.getUint32(soa.to - 4));
  }
}
