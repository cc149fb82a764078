/** Addresses and what is in them, against `ipaddr.js` and the runtime's own `node:net`. A failure prints its seed. */
import assert from "node:assert/strict";
import { isIP } from "node:net";
import { describe, test } from "node:test";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { readIPv6, writeIPv6 } from "../../adapters/posix/ip.ts";
import { parseRange, sizeOf, toBits } from "../../runtime/core/access/ip.ts";
import { AccessRules } from "../../runtime/core/access/rules.ts";
import { sourceOf } from "../../runtime/core/access/source.ts";
import { Address, isIPv4 } from "../../runtime/core/endpoint.ts";
import { ipFamily, readIp } from "../../runtime/core/ip.ts";
import { accessOf } from "../support/access.ts";

const RUNS = { numRuns: 10_000 };

const byte = fc.integer({ min: 0, max: 255 });
const ipv4 = fc.oneof(
  fc.tuple(byte, byte, byte, byte),
  fc.tuple(fc.constantFrom(0, 10, 127, 255), byte, fc.constantFrom(0, 255), byte),
).map((bytes) => bytes.join("."));

/** Many zeros, so that `::` has its places. */
const group = fc.oneof(
  fc.constantFrom(0, 0, 0xffff),
  fc.integer({ min: 0, max: 15 }),
  fc.integer({ min: 0, max: 0xffff }),
);
const written = fc.record({
  groups: fc.array(group, { minLength: 8, maxLength: 8 }),
  /** With capitals, leading zeros, the last 32 bits dotted; and a run of zeros that is left out. */
  capitals: fc.boolean(),
  zeros: fc.boolean(),
  dotted: fc.boolean(),
  gap: fc.integer({ min: 0, max: 7 }),
});

function write(
  { groups, capitals, zeros, dotted, gap }: typeof written extends fc.Arbitrary<infer Value> ? Value
    : never,
): string {
  const digits = groups.map((value) => value.toString(16).padStart(zeros ? 4 : 1, "0"));
  const [high, low] = groups.slice(6) as [number, number];
  const last = dotted ? [`${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`] : digits.slice(6);
  const all = [...digits.slice(0, 6), ...last];
  let end = gap;
  while (end < (dotted ? 6 : 8) && groups[end] === 0) end++;
  const text = end === gap
    ? all.join(":")
    : `${all.slice(0, gap).join(":")}::${all.slice(end).join(":")}`;
  return capitals ? text.toUpperCase() : text;
}

const mapped = ipv4.map((host) => `::ffff:${host}`);
const ipv6 = fc.oneof(written.map(write), mapped, fc.ipV6());
const address = fc.oneof(ipv4, ipv6);

/** `ipaddr.js` takes `::1.2.3.4` for a mapped one; inet_pton(3), and node:net, do not. */
const legible = (text: string): string => {
  const [, ...last] = /^::(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text) ?? [];
  if (last.length === 0) return text;
  const [a, b, c, d] = last.map(Number) as [number, number, number, number];
  return `::${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
};
/** What it is: a mapped one is IPv4. */
const process = (text: string) => ipaddr.process(legible(text));
const bitsOf = (bytes: readonly number[]): bigint =>
  bytes.reduce((bits, value) => bits << 8n | BigInt(value), 0n);

const words = new Uint32Array(4);
const buffer = new Uint8Array(18);

describe("IP addresses", () => {
  test("are read as ipaddr.js reads them, in all their forms", () => {
    fc.assert(
      fc.property(address, fc.constantFrom("", "%eth0", "%1"), (host, zone) => {
        const text = host.includes(":") ? host + zone : host;
        const expected = process(host);
        const family = readIp(text, words);
        assert.equal(family, expected.kind() === "ipv4" ? 4 : 6, text);
        assert.equal(toBits(words, family as 4 | 6), bitsOf(expected.toByteArray()), text);
      }),
      RUNS,
    );
  });

  test("that are none are none, as node:net has it", () => {
    const letter = fc.constantFrom(..."0123456789abcdefg:.-/% ");
    const cut = fc.tuple(address, fc.nat(60), fc.nat(3), fc.array(letter, { maxLength: 2 })).map(
      ([text, at, gone, put]) =>
        text.slice(0, at % (text.length + 1)) + put.join("") +
        text.slice(at % (text.length + 1) + gone),
    );
    const noise = fc.array(letter, { maxLength: 20 }).map((letters) => letters.join(""));
    fc.assert(
      fc.property(fc.oneof({ weight: 4, arbitrary: cut }, noise), (text) => {
        assert.equal(ipFamily(text), isIP(text), JSON.stringify(text));
        assert.equal(isIPv4(text), isIP(text) === 4, JSON.stringify(text));
        // A rule is about addresses: of a zone, whatever it is, they do not ask.
        if (!text.includes("%")) assert.equal(readIp(text, words) !== 0, isIP(text) !== 0, text);
      }),
      RUNS,
    );
  });

  test("are written as RFC 5952 has it, and read again", () => {
    fc.assert(
      fc.property(ipv6, (text) => {
        buffer.fill(255);
        assert.equal(writeIPv6(text, buffer, 1), true, text);
        const parsed = ipaddr.IPv6.parse(legible(text));
        assert.deepEqual([...buffer.subarray(1, 17)], parsed.toByteArray(), text);
        assert.deepEqual([buffer[0], buffer[17]], [255, 255]);
        const printed = readIPv6(buffer, 1);
        // It writes the last 32 bits of a mapped one with dots.
        const whole = parsed.isIPv4MappedAddress() ? parsed.toString() : parsed.toRFC5952String();
        assert.equal(printed, whole);
      }),
      RUNS,
    );
  });
});

describe("ranges", () => {
  const block = address.chain((host) => {
    const most = host.includes(":") ? 128 : 32;
    const least = host.includes(":") && process(host).kind() === "ipv4" ? 96 : 0;
    return fc.integer({ min: least, max: most }).map((length) => [host, length] as const);
  });
  /** Its neighbour in the tree: with some of its last bits others. */
  const near = (host: string, flip: number): string => {
    const parsed = ipaddr.parse(legible(host));
    const bytes = parsed.toByteArray();
    const bit = flip % (8 * bytes.length);
    bytes[bit >> 3]! ^= 128 >> (bit & 7);
    return ipaddr.fromByteArray(bytes).toString();
  };

  test("ADDRESS/PREFIX contains what ipaddr.js matches, and so do rules", () => {
    fc.assert(
      fc.property(block, address, fc.nat(127), ([host, length], other, flip) => {
        const text = `${host}/${length}`;
        const { family, first, last } = parseRange(text);
        const base = process(host);
        const prefix = length - (host.includes(":") && base.kind() === "ipv4" ? 96 : 0);
        assert.equal(
          sizeOf({ family, first, last }),
          1n << BigInt((family === 4 ? 32 : 128) - prefix),
        );
        const rules = new AccessRules(accessOf({ deny: [text] }));
        for (const peer of [other, near(host, flip), host]) {
          const of = process(peer);
          const inside = of.kind() === base.kind() &&
            of.match(base as never, prefix);
          const { family: kind, first: bits } = parseRange(peer);
          assert.equal(kind === family && first <= bits && bits <= last, inside, `${peer} ${text}`);
          const { served } = rules.decide(new Address("tcp", peer, 1, ""), 0);
          assert.equal(served, !inside, `${peer} ${text}`);
        }
      }),
      RUNS,
    );
  });

  test("FIRST-LAST contains what lies between them", () => {
    fc.assert(
      fc.property(address, address, address, (one, two, peer) => {
        const [a, b, c] = [one, two, peer].map(process) as [
          ReturnType<typeof process>,
          ReturnType<typeof process>,
          ReturnType<typeof process>,
        ];
        const [first, last, bits] = [a, b, c].map((each) => bitsOf(each.toByteArray())) as [
          bigint,
          bigint,
          bigint,
        ];
        const text = `${one}-${two}`;
        if (a.kind() !== b.kind() || first > last) {
          assert.throws(() => parseRange(text), SyntaxError, text);
          return;
        }
        const rules = new AccessRules(accessOf({ deny: [text] }));
        const inside = c.kind() === a.kind() && first <= bits && bits <= last;
        const { served } = rules.decide(new Address("tcp", peer, 1, ""), 0);
        assert.equal(served, !inside, `${peer} ${text}`);
      }),
      RUNS,
    );
  });

  test("sources are one where their prefix is", () => {
    fc.assert(
      fc.property(address, address, fc.nat(127), fc.nat(32), fc.nat(128), (
        one,
        other,
        flip,
        four,
        six,
      ) => {
        const prefixes = { ipv4: four, ipv6: six };
        // Adapters write an address in one form; a mapped one may come in two.
        const source = (host: string): string => {
          const text = ipaddr.parse(legible(host)).toString();
          return sourceOf(new Address("tcp", text, 1, ""), prefixes);
        };
        for (const peer of [other, near(one, flip)]) {
          const [a, b] = [process(one), process(peer)];
          const prefix = a.kind() === "ipv4" ? four : six;
          const same = a.kind() === b.kind() && a.match(b as never, prefix);
          assert.equal(source(one) === source(peer), same, `${one} ${peer} ${prefix}`);
        }
      }),
      RUNS,
    );
  });
});
