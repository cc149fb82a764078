/** Headers of the PROXY protocol, written from its specification: bytes in, a header out. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import { crc32c } from "../../runtime/core/prologue/crc32c.ts";
import {
  type ProxyHeader,
  type ProxyValues,
  readProxyHeader,
} from "../../runtime/core/prologue/proxy-header.ts";
import {
  writeProxyVersion1,
  writeProxyVersion2,
} from "../../runtime/core/prologue/write-proxy-header.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
/** Bytes of a header of version 2: its fixed part, then what hexadecimal digits say. */
function version2(command: number, family: number, body: string): Uint8Array {
  const bytes = (body.match(/[0-9a-f]{2}/g) ?? []).map((digits) => Number.parseInt(digits, 16));
  const signature = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10];
  const length = [bytes.length >> 8, bytes.length & 255];
  return Uint8Array.from([...signature, command, family, ...length, ...bytes]);
}
const words = ({ version, length, remote, local, values }: ProxyHeader): unknown => ({
  version,
  length,
  ...(remote && { remote: String(remote) }),
  ...(local && { local: String(local) }),
  ...(Object.keys(values).length > 0 && { values }),
});

/** IPv4 192.0.2.7:50000 → 198.51.100.1:443. */
const V4 = "c0000207 c6336401 c350 01bb";
const V6 = "20010db8000000000000000000000007 20010db8000000000000000000000001 c350 01bb";
const path = (text: string): string =>
  Array.from(ascii(text.padEnd(108, "\0")), (byte) => byte.toString(16).padStart(2, "0")).join("");

const GOOD: readonly [name: string, bytes: Uint8Array, header: object][] = [
  ["TCP4", ascii("PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n"), {
    version: 1,
    length: 45,
    remote: "tcp://192.0.2.7:50000",
    local: "tcp://198.51.100.1:443",
  }],
  ["TCP6", ascii("PROXY TCP6 2001:DB8::7 2001:db8:0:0::1 50000 443\r\n"), {
    version: 1,
    length: 50,
    remote: "tcp://[2001:db8::7]:50000",
    local: "tcp://[2001:db8::1]:443",
  }],
  ["TCP6 with an address of IPv4", ascii("PROXY TCP6 ::ffff:192.0.2.7 ::1 0 65535\r\n"), {
    version: 1,
    length: 41,
    remote: "tcp://192.0.2.7:0",
    local: "tcp://[::1]:65535",
  }],
  ["UNKNOWN", ascii("PROXY UNKNOWN\r\n"), { version: 1, length: 15 }],
  ["UNKNOWN with anything behind it", ascii("PROXY UNKNOWN ffff::1 nonsense x\r\n"), {
    version: 1,
    length: 34,
  }],
  ["LOCAL", version2(0x20, 0, ""), { version: 2, length: 16 }],
  ["LOCAL with addresses, which are skipped", version2(0x20, 0x11, V4), {
    version: 2,
    length: 28,
  }],
  ["UNSPEC with bytes, which are skipped", version2(0x21, 0, "ffffff"), {
    version: 2,
    length: 19,
  }],
  ["TCP over IPv4", version2(0x21, 0x11, V4), {
    version: 2,
    length: 28,
    remote: "tcp://192.0.2.7:50000",
    local: "tcp://198.51.100.1:443",
  }],
  ["UDP over IPv4", version2(0x21, 0x12, V4), {
    version: 2,
    length: 28,
    remote: "udp://192.0.2.7:50000",
    local: "udp://198.51.100.1:443",
  }],
  ["TCP over IPv6", version2(0x21, 0x21, V6), {
    version: 2,
    length: 52,
    remote: "tcp://[2001:db8::7]:50000",
    local: "tcp://[2001:db8::1]:443",
  }],
  ["Unix streams, one of them abstract", version2(0x21, 0x31, path("/run/a") + path("\0b")), {
    version: 2,
    length: 232,
    remote: "unix:/run/a",
    local: "unix:@b",
  }],
  [
    "every value",
    version2(
      0x21,
      0x11,
      `${V4} 01 0002 6832 02 0003 612e62 04 0001 00 05 0002 00ff 30 0002 6e73 e0 0001 2a` +
        "20 0020 07 00000000 21 0007 544c5376312e33 22 0002 6d65 23 0001 63 24 0001 73 25 0001 6b",
    ),
    {
      version: 2,
      length: 28 + 5 + 6 + 4 + 5 + 5 + 4 + 35,
      remote: "tcp://192.0.2.7:50000",
      local: "tcp://198.51.100.1:443",
      values: {
        alpn: "h2",
        authority: "a.b",
        uniqueId: "00ff",
        netns: "ns",
        others: { 0xe0: "2a" },
        tls: {
          certificate: true,
          verified: true,
          version: "TLSv1.3",
          commonName: "me",
          cipher: "c",
          signature: "s",
          key: "k",
        },
      },
    },
  ],
];

const BAD: readonly [name: string, bytes: Uint8Array, why: RegExp][] = [
  ["no CR", ascii("PROXY UNKNOWN\n"), /CR LF/],
  ["no end within 107 bytes", ascii(`PROXY UNKNOWN ${"x".repeat(93)}`), /within 107 bytes/],
  ["lower case", ascii("PROXY tcp4 192.0.2.7 198.51.100.1 1 2\r\n"), /is "PROXY tcp4/],
  ["two spaces", ascii("PROXY TCP4  192.0.2.7 198.51.100.1 1 2\r\n"), /is "PROXY/],
  ["a space at the end", ascii("PROXY TCP4 192.0.2.7 198.51.100.1 1 2 \r\n"), /is "PROXY/],
  ["IPv6 in TCP4", ascii("PROXY TCP4 ::1 ::1 1 2\r\n"), /"::1" as an address of TCP4/],
  ["IPv4 in TCP6", ascii("PROXY TCP6 192.0.2.7 ::1 1 2\r\n"), /"192.0.2.7" as an address of TCP6/],
  ["no address", ascii("PROXY TCP4 192.0.2 198.51.100.1 1 2\r\n"), /"192.0.2" as an address/],
  ["a zone", ascii("PROXY TCP6 fe80::1%1 ::1 1 2\r\n"), /is "PROXY/],
  ["port 65536", ascii("PROXY TCP4 192.0.2.7 198.51.100.1 65536 2\r\n"), /"65536" as a port/],
  ["port 080", ascii("PROXY TCP4 192.0.2.7 198.51.100.1 080 2\r\n"), /"080" as a port/],
  ["version 3", version2(0x31, 0x11, V4), /of version 3/],
  ["command 2", version2(0x22, 0x11, V4), /command 2/],
  ["family 4", version2(0x21, 0x41, V4), /family 0x41/],
  ["kind 3", version2(0x21, 0x13, V4), /family 0x13/],
  ["addresses that are cut off", version2(0x21, 0x11, "c0000207"), /too short/],
  ["a value beyond the end", version2(0x21, 0x11, `${V4} 01 0003 6832`), /beyond its end/],
  ["half of a value's length", version2(0x21, 0x11, `${V4} 01 00`), /beyond its end/],
  ["an ssl of 4 bytes", version2(0x21, 0x11, `${V4} 20 0004 01000000`), /"ssl" of 4 bytes/],
  ["a value in ssl beyond it", version2(0x21, 0x11, `${V4} 20 0008 0100000000 210009`), /beyond/],
  ["a wrong checksum", version2(0x21, 0x11, `${V4} 03 0004 00000000`), /checksum/],
  ["a checksum of 3 bytes", version2(0x21, 0x11, `${V4} 03 0003 000000`), /of 3 bytes/],
  ["a unique id of 129", version2(0x21, 0x11, `${V4} 05 0081 ${"00".repeat(129)}`), /129 bytes/],
];

describe("a PROXY header", () => {
  for (const [name, bytes, header] of GOOD) {
    test(`is read: ${name}`, () => {
      assert.deepEqual(words(readProxyHeader(bytes) as ProxyHeader), header);
    });
    test(`is the same with the peer's bytes behind it: ${name}`, () => {
      const more = new Uint8Array([...bytes, ...ascii("GET / HTTP/1.1\r\n\r\n")]);
      assert.deepEqual(words(readProxyHeader(more) as ProxyHeader), header);
    });
    test(`is waited for to its last byte: ${name}`, () => {
      for (let length = 1; length < bytes.length; length++) {
        assert.equal(readProxyHeader(bytes.subarray(0, length)), "more", `${length} bytes`);
      }
    });
  }
  for (const [name, bytes, why] of BAD) {
    test(`is refused: ${name}`, () => {
      assert.throws(() => readProxyHeader(bytes), (error: PorticoError) => {
        assert.equal(error.code, "PROTOCOL_ERROR");
        assert.match(error.message, why);
        return true;
      });
    });
  }
  test("is told from what is none, at the first byte that differs", () => {
    for (const text of ["GET / HTTP/1.1", "P", "\r\n\r\n\0\r\nQUIt\n", "PROXX", "\x16\x03\x01"]) {
      const is = readProxyHeader(ascii(text));
      assert.equal(is, text === "P" ? "more" : "none", text);
    }
  });
  test("longer than is taken is refused by its length, before it has come", () => {
    const bytes = version2(0x21, 0x11, V4 + "00".repeat(600)).subarray(0, 16);
    assert.equal(readProxyHeader(bytes), "more");
    assert.throws(() => readProxyHeader(bytes, 536), /628 bytes is longer than 536/);
  });
  test("of random bytes is a header, more, none or PROTOCOL_ERROR, and nothing else", () => {
    const heads = [[], [...ascii("PROXY ")], [...version2(0x21, 0x11, "").subarray(0, 13)]];
    fc.assert(
      fc.property(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 64 }), (head, tail) => {
        const bytes = Uint8Array.from([...head, ...tail]);
        try {
          const found = readProxyHeader(bytes);
          if (typeof found === "object") assert.ok(found.length <= bytes.length);
        } catch (error) {
          assert.equal((error as PorticoError).code, "PROTOCOL_ERROR");
        }
      }),
      { numRuns: 20_000 },
    );
  });
});

describe("a PROXY header that is written", () => {
  const group = fc.nat(0xffff).map((number) => number.toString(16));
  const groups = fc.array(fc.oneof(fc.constant("0"), group), { minLength: 8, maxLength: 8 });
  const host = fc.oneof(fc.ipV4(), groups.map((all) => all.join(":")));
  const port = fc.nat(0xffff);
  const address = (transport: "tcp" | "udp"): fc.Arbitrary<Address> =>
    fc.tuple(host, port).map(([host, port]) => new Address(transport, host, port, ""));
  const optional = <T>(what: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
    fc.option(what, { nil: undefined });
  const name = fc.string({ unit: "grapheme-ascii", maxLength: 40 });
  const values: fc.Arbitrary<ProxyValues> = fc.record({
    alpn: optional(name),
    authority: optional(name),
    netns: optional(name),
    uniqueId: optional(
      fc.uint8Array({ maxLength: 128 }).map((bytes) => Buffer.from(bytes).toString("hex")),
    ),
    tls: optional(
      fc.record(
        { certificate: fc.boolean(), verified: fc.constant(false), version: name },
        { noNullPrototype: true },
      ),
    ),
  }).map((found) => Object.fromEntries(Object.entries(found).filter(([, is]) => is !== undefined)));

  test("with version 2 is read as it was meant", () => {
    fc.assert(
      fc.property(address("tcp"), address("tcp"), values, fc.boolean(), (from, to, all, sum) => {
        const bytes = writeProxyVersion2(from, to, all, sum);
        const header = readProxyHeader(bytes) as ProxyHeader;
        assert.equal(header.length, bytes.length);
        assert.deepEqual(header.values, all);
        assert.equal(String(header.remote), canonical(from));
        assert.equal(String(header.local), canonical(to));
      }),
      { numRuns: 2000 },
    );
  });
  test("with a checksum is refused when any bit of it differs", () => {
    const to = new Address("tcp", "192.0.2.1", 443, "");
    const bytes = writeProxyVersion2(to, to, { alpn: "h2" }, true);
    for (let at = 16; at < bytes.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const other = bytes.slice();
        other[at]! ^= 1 << bit;
        let found: ReturnType<typeof readProxyHeader> | undefined;
        try {
          found = readProxyHeader(other);
        } catch {
          continue;
        }
        // What hides the checksum's own type, or its length, leaves nothing to check by.
        assert.ok(
          typeof found === "object" && found.values.others !== undefined || isValueHead(at, bytes),
          `byte ${at}, bit ${bit}`,
        );
      }
    }
  });
  test("with version 1 is read as it was meant, of two families it is UNKNOWN", () => {
    fc.assert(
      fc.property(address("tcp"), address("tcp"), (from, to) => {
        const header = readProxyHeader(writeProxyVersion1(from, to)) as ProxyHeader;
        if (header.remote === undefined) {
          assert.notEqual(canonical(from).includes("["), canonical(to).includes("["));
          return;
        }
        assert.equal(String(header.remote), canonical(from));
        assert.equal(String(header.local), canonical(to));
      }),
      { numRuns: 2000 },
    );
  });
  test("without addresses is LOCAL", () => {
    const bytes = writeProxyVersion2(undefined, undefined);
    assert.deepEqual(words(readProxyHeader(bytes) as ProxyHeader), { version: 2, length: 16 });
  });
  test("of Unix sockets keeps their paths", () => {
    const [from, to] = [new Address("unix", "", 0, "@x"), new Address("unix", "", 0, "/run/y")];
    const header = readProxyHeader(writeProxyVersion2(from, to)) as ProxyHeader;
    assert.deepEqual([String(header.remote), String(header.local)], ["unix:@x", "unix:/run/y"]);
  });
});

test("CRC32C is what RFC 3720 has", () => {
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43);
  assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
});

/** As WHATWG URLs write an address, which is RFC 5952 but for mapped ones. */
function canonical({ transport, host, port }: Address): string {
  if (!host.includes(":")) return `${transport}://${host}:${port}`;
  const text = new URL(`http://[${host}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(text);
  if (mapped === null) return `${transport}://[${text}]:${port}`;
  const [high, low] = mapped.slice(1).map((digits) => Number.parseInt(digits, 16)) as [
    number,
    number,
  ];
  return `${transport}://${high >> 8}.${high & 255}.${low >> 8}.${low & 255}:${port}`;
}

/** Whether a byte is of the head of one of its two values, `alpn` of 2 bytes or the checksum. */
function isValueHead(at: number, bytes: Uint8Array): boolean {
  return at >= 28 && at < 31 || at >= bytes.length - 7 && at < bytes.length - 4;
}
