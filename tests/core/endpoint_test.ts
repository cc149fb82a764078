import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Endpoint } from "../../runtime/core/endpoint.ts";
import {
  Address,
  formatEndpoint,
  isIPv4,
  kindOf,
  normalizeHost,
  parseEndpoint,
} from "../../runtime/core/endpoint.ts";

const port = fc.integer({ min: 0, max: 65535 });
const ipv4 = fc.ipV4();
const host = fc.oneof(ipv4, fc.ipV6(), fc.constant("*"), fc.domain());
const internet = fc.record({
  transport: fc.constantFrom("tcp", "tls", "udp", "http", "https"),
  host,
  port,
});
const local = fc.record({
  transport: fc.constantFrom("unix", "unixgram", "http+unix"),
  path: fc.string({ minLength: 1, maxLength: 60, unit: "grapheme" }).filter((path) =>
    path !== "@" && !path.startsWith("//") && !path.includes("\0")
  ),
});
const inherited = fc.oneof(
  fc.record({ transport: fc.constant("fd"), name: fc.nat({ max: 999 }).map(String) }),
  fc.record({ transport: fc.constant("systemd"), name: fc.stringMatching(/^[a-z.-]{1,20}$/) }),
  fc.constant({ transport: "stdio", name: "" }),
);

describe("parseEndpoint", () => {
  test("parseEndpoint reads what formatEndpoint writes", () => {
    fc.assert(
      fc.property(fc.oneof(internet, local, inherited), (endpoint) => {
        const text = formatEndpoint(endpoint as Endpoint);
        assert.deepEqual({ ...parseEndpoint(text) }, { ...endpoint });
      }),
      { numRuns: 500 },
    );
  });

  test("parseEndpoint never fails in another way than with a SyntaxError that quotes what it got", () => {
    const prefix = fc.constantFrom("", "tcp://", "udp://", "unix:", "fd:", "tcp:", "://", "[");
    fc.assert(
      fc.property(prefix, fc.string({ maxLength: 20 }), (prefix, rest) => {
        const text = prefix + rest;
        try {
          const endpoint = parseEndpoint(text);
          assert.deepEqual(parseEndpoint(formatEndpoint(endpoint)), endpoint);
        } catch (error) {
          assert.ok(error instanceof SyntaxError, String(error));
          assert.ok(error.message.includes(JSON.stringify(text)), error.message);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("parseEndpoint reads each form", () => {
    const forms: readonly (readonly [string, Record<string, unknown>])[] = [
      ["tcp://127.0.0.1:7007", { transport: "tcp", host: "127.0.0.1", port: 7007 }],
      ["udp://*:0", { transport: "udp", host: "*", port: 0 }],
      ["tcp://[::1]:7", { transport: "tcp", host: "::1", port: 7 }],
      ["https://localhost:65535", { transport: "https", host: "localhost", port: 65535 }],
      ["unix:./a b.sock", { transport: "unix", path: "./a b.sock" }],
      ["unixgram:@name", { transport: "unixgram", path: "@name" }],
      ["http+unix:/run/x", { transport: "http+unix", path: "/run/x" }],
      ["fd:3", { transport: "fd", name: "3" }],
      ["systemd:echo", { transport: "systemd", name: "echo" }],
      ["stdio:", { transport: "stdio", name: "" }],
    ];
    for (const [text, endpoint] of forms) assert.deepEqual({ ...parseEndpoint(text) }, endpoint);
  });

  test("parseEndpoint says what is wrong, and what would be right", () => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      ["7007", /an endpoint is one of tcp:\/\/HOST:PORT/],
      ["tcp://127.0.0.1", /HOST:PORT is needed, as in tcp:\/\/127.0.0.1:7007/],
      ["tcp://127.0.0.1:", /a port is needed, 0 for any/],
      ["tcp://127.0.0.1:65536", /a port is 0 to 65535; received 65536/],
      ["tcp://127.0.0.1:seven", /"seven" is neither a port .* nor a service/],
      ["tcp://::1:7", /brackets, as in \[::1\]:7007/],
      ["tcp://127.0.0.1:7/path", /nothing follows the port/],
      ["unix:", /a path is needed after unix:/],
      ["unix:///run/x", /written unix:PATH, without \/\//],
      ["unix:@", /a path is needed/],
      ["unix:a\0b", /no NUL/],
      ["tcp://local\0host:7", /a name of letters, digits, - and \. or an address/],
      ["udp://[::1%\0]:7", /a name of letters, digits, - and \. or an address/],
      ["http://a b:7", /a name of letters, digits, - and \. or an address/],
      ["fd:three", /fd:N is the form/],
      ["systemd:", /systemd:NAME is the form/],
      ["stdio:x", /stdio: is the form/],
    ];
    for (const [text, message] of wrong) {
      assert.throws(() => parseEndpoint(text), { name: "SyntaxError", message });
    }
  });

  test("parseEndpoint asks for service names with the right protocol", () => {
    const asked: string[] = [];
    const lookup = (name: string, protocol: string): number | undefined => {
      asked.push(`${name}/${protocol}`);
      return name === "daytime" ? 13 : undefined;
    };
    assert.equal(formatEndpoint(parseEndpoint("udp://*:daytime", lookup)), "udp://*:13");
    assert.equal(formatEndpoint(parseEndpoint("tls://*:daytime", lookup)), "tls://*:13");
    assert.throws(() => parseEndpoint("tcp://*:nothing", lookup), /"nothing"/);
    assert.deepEqual(asked, ["daytime/udp", "daytime/tcp", "nothing/tcp"]);
  });
});

describe("Address", () => {
  test("Address writes itself as an endpoint does", () => {
    assert.equal(String(new Address("tcp", "127.0.0.1", 7, "")), "tcp://127.0.0.1:7");
    assert.equal(String(new Address("udp", "::1", 7, "")), "udp://[::1]:7");
    assert.equal(String(new Address("unix", "", 0, "/run/x")), "unix:/run/x");
    assert.equal(String(new Address("unixgram", "", 0, "")), "unixgram:");
    fc.assert(
      fc.property(fc.oneof(ipv4, fc.ipV6()), port, (host, port) => {
        const text = String(new Address("tcp", host, port, ""));
        assert.deepEqual({ ...parseEndpoint(text) }, { transport: "tcp", host, port });
      }),
    );
  });

  test("normalizeHost unwraps IPv4-mapped addresses, and nothing else", () => {
    fc.assert(
      fc.property(ipv4, (host) => {
        assert.equal(normalizeHost(`::ffff:${host}`), host);
        assert.equal(normalizeHost(host), host);
      }),
    );
    for (const host of ["::1", "::ffff:1", "::ffff:7f00:1", "", "fe80::1%eth0"]) {
      assert.equal(normalizeHost(host), host);
    }
  });

  test("isIPv4 takes dotted quads only", () => {
    fc.assert(fc.property(ipv4, (host) => assert.ok(isIPv4(host))));
    for (
      const host of ["", "1.2.3", "1.2.3.4.", "1.2.3.256", "01.2.3.4", "::1", "a.b.c.d", " 1.2.3.4"]
    ) {
      assert.equal(isIPv4(host), false, host);
    }
  });

  test("kindOf says what a plugin has to serve", () => {
    const kinds = [
      "tcp",
      "tls",
      "udp",
      "unix",
      "unixgram",
      "http",
      "https",
      "http+unix",
      "fd",
    ] as const;
    assert.deepEqual(kinds.map(kindOf), [
      "stream",
      "stream",
      "datagram",
      "stream",
      "datagram",
      "http",
      "http",
      "http",
      "stream",
    ]);
  });
});
