/** Values of a manifest: units, names of ports, the nearest name. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { nearest } from "../../runtime/values/nearest.ts";
import { parseServices, portOf } from "../../runtime/values/ports.ts";
import { parseCount, parseDuration, parseRate, parseSize } from "../../runtime/core/units.ts";

describe("units", () => {
  test("parseDuration reads ms, s, m, h", () => {
    assert.deepEqual(
      ["250ms", "30s", "1.5m", "1h", "30", "s", "1d", "-1s"].map(parseDuration),
      [250, 30_000, 90_000, 3_600_000, NaN, NaN, NaN, NaN],
    );
  });
  test("parseSize tells thousands from powers of two", () => {
    assert.deepEqual(
      ["512B", "10kB", "10MB", "64KiB", "1GiB", "1TB", "1Kb"].map(parseSize),
      [512, 10_000, 10_000_000, 65_536, 2 ** 30, NaN, NaN],
    );
  });
  test("parseRate reads /s, /m, /h", () => {
    assert.deepEqual(parseRate("50/s"), { count: 50, per: 1000 });
    assert.deepEqual(parseRate("6/h"), { count: 6, per: 3_600_000 });
    assert.deepEqual(parseRate("6/d"), { count: NaN, per: NaN });
  });
  test("parseCount reads whole numbers only", () => {
    assert.deepEqual(["10", "1.5", "-1", ""].map(parseCount), [10, NaN, NaN, NaN]);
  });
});

describe("nearest", () => {
  test("nearest finds a missing, a wrong and a swapped letter", () => {
    const known = ["listen", "limits", "log", "echo"];
    assert.equal(nearest("lisen", known), "listen");
    assert.equal(nearest("limitz", known), "limits");
    assert.equal(nearest("ehco", known), "echo");
    assert.equal(nearest("LISTEN", known), "listen");
  });
  test("nearest suggests nothing for another word", () => {
    assert.equal(nearest("workers", ["listen", "log"]), undefined);
    assert.equal(nearest("x", ["log"]), undefined);
  });
});

describe("services", () => {
  test("portOf knows the names of RFC 862 to 868", () => {
    assert.equal(portOf("daytime", "tcp"), 13);
    assert.equal(portOf("echo", "udp"), 7);
    assert.equal(portOf("no-such-service", "tcp"), undefined);
  });
  test("parseServices reads aliases and comments, and keeps the first entry", () => {
    const ports = parseServices("# all\nmail 25/tcp smtp # post\nmail 26/tcp\nbad line\nx 1/udp");
    assert.deepEqual([...ports], [["mail/tcp", 25], ["smtp/tcp", 25], ["x/udp", 1]]);
  });
});
