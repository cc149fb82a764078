/** `limits.bytes` and `limits.bytesPerSecond` as a manifest says them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { expand, prepare } from "../support/manifest.ts";
import { blockOf, service } from "./errors.ts";

const second = (count: number, burst?: number): object => {
  return { count, per: 1000, ...(burst !== undefined && { burst }) };
};

function limitsOf(limits: object, defaults: object = {}): object {
  const { services } = expand({
    file: "/portico.json",
    value: {
      defaults: { limits: defaults },
      services: { echo: { plugin: "echo", listen: "tcp://127.0.0.1:0", limits } },
    },
    locate: () => undefined,
  });
  const { bytes, bytesPerSecond } = services[0]!.limits;
  return { ...(bytes && { bytes }), ...(bytesPerSecond && { bytesPerSecond }) };
}

describe("limits of bytes", () => {
  for (
    const [said, meant] of [
      [{}, {}],
      [{ bytes: "1kB" }, { bytes: { in: 1000, out: 1000 } }],
      [{ bytes: 5 }, { bytes: { in: 5, out: 5 } }],
      [{ bytes: { out: "1KiB" } }, { bytes: { out: 1024 } }],
      [{ bytes: "none" }, {}],
      [{ bytes: { in: 5, out: "none" } }, { bytes: { in: 5 } }],
      [{ bytesPerSecond: 7 }, { bytesPerSecond: { in: second(7), out: second(7) } }],
      [{ bytesPerSecond: { in: "1MiB burst 4MiB" } }, {
        bytesPerSecond: { in: second(2 ** 20, 2 ** 22) },
      }],
      [{ bytesPerSecond: "none" }, {}],
    ] as const
  ) {
    test(JSON.stringify(said), () => assert.deepEqual(limitsOf(said), meant));
  }

  test("a service says one way, and has the other from defaults", () => {
    const defaults = { bytes: 100, bytesPerSecond: { in: "1kB" } };
    assert.deepEqual(limitsOf({ bytes: { in: 5 }, bytesPerSecond: { out: "2kB" } }, defaults), {
      bytes: { in: 5, out: 100 },
      bytesPerSecond: { in: second(1000), out: second(2000) },
    });
    assert.deepEqual(limitsOf({ bytes: "none", bytesPerSecond: "none" }, defaults), {});
  });

  for (const wrong of ["0B", 0, -1, "1MiB/s", "fast", "1MiB burst 0B", { in: 0 }, { up: 5 }, [5]]) {
    test(`bytesPerSecond ${JSON.stringify(wrong)} is refused`, async (t) => {
      const text = service(`"limits": { "bytesPerSecond": ${JSON.stringify(wrong)} }`);
      assert.match(await blockOf(t, { "portico.json": text }), /bytes a second|one of in, out/);
    });
  }

  test("bytesPerSecond means nothing where there are datagrams only", async (t) => {
    const text = service('"limits": { "bytesPerSecond": 5 }', '"listen": "udp://127.0.0.1:0"');
    assert.match(
      await blockOf(t, { "portico.json": text }),
      /ratePerSource, which counts datagrams/,
    );
  });

  test("a plugin that takes the sockets cannot keep them, also those of defaults", async (t) => {
    const exec = (limits: string) =>
      service("", '"listen": "tcp://127.0.0.1:0", "options": { "command": ["cat"] }')
        .replace('"echo",', '"exec",').replace(
          '{ "services"',
          `{ "defaults": { "limits": ${limits} }, "services"`,
        );
    const block = await blockOf(t, { "portico.json": exec('{ "bytes": 5 }') });
    assert.match(block, /"bytes", of streams of the plugin exec/);
    const source = {
      file: "/portico.json",
      value: {
        defaults: { limits: { bytes: 5 } },
        services: {
          cat: {
            plugin: "exec",
            listen: "tcp://127.0.0.1:0",
            options: { command: ["cat"] },
            limits: { bytes: "none" },
          },
        },
      },
      locate: () => undefined,
    };
    assert.equal((await prepare(expand(source), source)).length, 1);
  });
});
