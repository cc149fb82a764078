import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { defineManifest } from "../runtime/manifest/define.ts";
import { shippedSchema } from "../runtime/manifest/plugin-schemas.ts";
import { LIMITS } from "../runtime/manifest/limits.ts";
import { SOCKET_ENTRIES } from "../runtime/manifest/socket.ts";
import { sinkCatalog } from "../runtime/sinks/mod.ts";
import { expand } from "./support/manifest.ts";

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly const?: string;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly required?: readonly string[];
}

const FILE = fileURLToPath(new URL("../runtime/portico.schema.json", import.meta.url).href);
const shipped = await shippedSchema(sinkCatalog);
const schema = JSON.parse(shipped) as Schema;
const service = schema.properties!["services"]!.additionalProperties as Schema;
const limits = service.properties!["limits"]!;

/** The pattern that text has to have, for a value that may be text. */
function pattern(of: Schema | undefined): RegExp {
  return new RegExp(of!.anyOf!.find(({ type }) => type === "string")!.pattern!);
}

describe("jsonSchema", () => {
  test("runtime/portico.schema.json is fresh (npm run schema)", () => {
    assert.equal(
      readFileSync(FILE, "utf8"),
      shipped,
    );
  });
  test("jsonSchema describes every key of a service, its limits and its socket options", () => {
    const listener = service.properties!["listen"]!.anyOf!.find(({ type }) => type === "object")!;
    // Where a manifest has none, the plugin may have one.
    const names = [
      ...Object.keys(LIMITS),
      ...[
        "amplification",
        "bytes",
        "bytesPerSecond",
        "datagramRate",
        "ratePerSource",
        "wait",
        "load",
      ],
    ].filter((name) => name !== "firstByteSaid");
    assert.deepEqual(Object.keys(limits.properties!).sort(), names.sort());
    assert.deepEqual(
      Object.keys(listener.properties!).sort(),
      ["endpoint", "tls", ...Object.keys(SOCKET_ENTRIES)].sort(),
    );
    for (const [name, entry] of Object.entries({ ...limits.properties, ...listener.properties })) {
      assert.ok(entry.description, name);
    }
  });
  test("jsonSchema takes units where the manifest does", () => {
    const { idle, writeBuffer, rate, sessions } = limits.properties!;
    for (const text of ["250ms", "30s", "1.5m", "1h", "none"]) assert.match(text, pattern(idle));
    for (const text of ["30", "1d", "30 s", "s"]) assert.doesNotMatch(text, pattern(idle));
    for (const text of ["64KiB", "10MB", "1B"]) assert.match(text, pattern(writeBuffer));
    assert.doesNotMatch("10 MB", pattern(writeBuffer));
    for (const text of ["50/s", "6/m", "1/h", "50/s burst 9"]) assert.match(text, pattern(rate));
    assert.doesNotMatch("50", pattern(rate));
    assert.match("100", pattern(sessions));
    assert.equal(sessions!.anyOf!.find(({ type }) => type === "integer")!.minimum, 1);
  });
  test("jsonSchema refuses unknown keys and asks for plugin, or for match and where that listens", () => {
    assert.equal(schema.additionalProperties, false);
    assert.equal(service.additionalProperties, false);
    assert.equal(limits.additionalProperties, false);
    assert.deepEqual(service.anyOf, [
      { required: ["plugin"] },
      { required: ["match", "listen"] },
    ]);
    assert.deepEqual(schema.anyOf, [{ required: ["services"] }, { required: ["includedir"] }]);
  });
});

describe("defineManifest", () => {
  test("defineManifest takes what DESIGN's example says, and expand accepts it", () => {
    const manifest = defineManifest({
      $schema: "../../runtime/portico.schema.json",
      plugins: { shout: "echo" },
      sinks: { audit: { type: "json", level: "info" } },
      defaults: { limits: { idle: "60s" } },
      services: {
        echo: {
          plugin: "shout",
          listen: [
            "tcp://127.0.0.1:7007",
            { endpoint: "unix:./echo.sock", mode: "0660", backlog: 511 },
          ],
          concurrency: { strategy: "threads", workers: 2, max: 1000 },
          log: ["console", "audit"],
          options: { upper: false },
          limits: { sessions: 10000, perSource: 100, rate: "50/s", overflow: "refuse" },
          access: { allow: ["127.0.0.0/8", "::1"] },
        },
      },
    });
    const plan = expand({ file: "/srv/portico.ts", value: manifest, locate: () => undefined });
    assert.equal(plan.services[0]!.limits.idle, 60_000);
    assert.deepEqual(plan.services[0]!.concurrency, { strategy: "threads", max: 1000, workers: 2 });
  });
  test("defineManifest refuses unknown keys by their types", () => {
    const manifest = defineManifest({
      // @ts-expect-error There is no such key.
      servces: {},
      services: { a: { plugin: "echo", listen: "tcp://*:0" } },
    });
    assert.ok("servces" in manifest);
  });
});
