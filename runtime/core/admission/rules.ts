/** Decides by address who may be served. Pure: text in, the rule out. */
import { isIPv4 } from "../endpoint.ts";
import type { Access } from "../plan.ts";

interface Rule {
  readonly text: string;
  readonly allow: boolean;
  readonly address: bigint;
  readonly family: 4 | 6;
  readonly prefix: number;
}

/** The compiled rules of one service. */
export class AccessList {
  readonly #rules: readonly Rule[];
  readonly #open: boolean;

  /** @throws SyntaxError naming the rule that is neither an address nor ADDRESS/PREFIX. */
  constructor({ allow, deny }: Access) {
    this.#rules = [
      ...deny.map((text) => compile(text, false)),
      ...allow.map((text) => compile(text, true)),
    ].sort((a, b) => b.prefix - a.prefix || Number(a.allow) - Number(b.allow));
    this.#open = allow.length === 0;
  }

  /** True when everybody is served: then nothing has to be asked. */
  get empty(): boolean {
    return this.#rules.length === 0;
  }

  /**
   * The rule that refuses `host`, or undefined when it is served. The longest matching prefix
   * decides, `deny` before `allow` where both are as long; without a match, an `allow` list refuses.
   * Peers without an IP address (Unix sockets) are always served: their file's mode decides.
   */
  refuses(host: string): string | undefined {
    if (host === "" || this.empty) return undefined;
    const family = host.includes(":") ? 6 : 4;
    const address = toBits(host, family);
    if (address !== undefined) {
      for (const rule of this.#rules) {
        if (rule.family === family && matches(rule, address)) {
          return rule.allow ? undefined : `deny ${rule.text}`;
        }
      }
    }
    return this.#open ? undefined : "not in allow";
  }
}

/** Checks one rule. @throws SyntaxError as {@link AccessList}. */
export function checkRule(text: string): void {
  compile(text, true);
}

function compile(text: string, allow: boolean): Rule {
  const [host = "", length, ...more] = text.split("/");
  const family = host.includes(":") ? 6 : 4;
  const bits = family === 4 ? 32 : 128;
  const address = toBits(host, family);
  const prefix = length === undefined ? bits : /^\d{1,3}$/.test(length) ? Number(length) : NaN;
  if (address === undefined || more.length > 0 || !(prefix <= bits)) {
    throw new SyntaxError(
      `a rule is an IP address or ADDRESS/PREFIX, as in 10.0.0.0/8 or fe80::/10; received ${
        JSON.stringify(text)
      }`,
    );
  }
  return { text, allow, address, family, prefix };
}

function matches({ address, family, prefix }: Rule, peer: bigint): boolean {
  const shift = BigInt((family === 4 ? 32 : 128) - prefix);
  return address >> shift === peer >> shift;
}

/** An IP address as a number; undefined when it is none. A zone (`%eth0`) is ignored. */
function toBits(host: string, family: 4 | 6): bigint | undefined {
  if (family === 4) {
    if (!isIPv4(host)) return undefined;
    return host.split(".").reduce((bits, part) => bits << 8n | BigInt(part), 0n);
  }
  const plain = host.replace(/%.*$/, "");
  const halves = plain.split("::");
  if (halves.length > 2) return undefined;
  const head = words(halves[0]!);
  const tail = halves.length === 2 ? words(halves[1]!) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...head, ...new Array<number>(missing).fill(0), ...tail];
  return all.reduce((bits, word) => bits << 16n | BigInt(word), 0n);
}

/** The 16-bit words of one side of `::`, with an IPv4 address at the end as two. */
function words(text: string): number[] | undefined {
  if (text === "") return [];
  const found: number[] = [];
  for (const part of text.split(":")) {
    if (isIPv4(part)) {
      const [a, b, c, d] = part.split(".").map(Number) as [number, number, number, number];
      found.push(a << 8 | b, c << 8 | d);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) found.push(parseInt(part, 16));
    else return undefined;
  }
  return found;
}
