/** Variables of the environment where something else than text is wanted. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Plan } from "../../runtime/core/plan.ts";
import { expand } from "../../runtime/manifest/expand.ts";
import { load } from "../../runtime/manifest/load.ts";
import { prepare } from "../../runtime/manifest/prepare.ts";
import { sinkCatalog } from "../../runtime/sinks/mod.ts";
import { ManifestError } from "../../runtime/values/problem.ts";
import { folder } from "../support/folder.ts";

const OPTIONS = `
export default {
  api: 1,
  name: "typed",
  transports: ["stream"],
  options: { "~standard": { version: 1, vendor: "test", validate(value) {
    const issues = [];
    if (typeof value.list?.[1]?.deep !== "number") {
      issues.push({ message: "a number", path: ["list", 1, { key: "deep" }] });
    }
    if (typeof value.flag !== "boolean") issues.push({ message: "true or false", path: ["flag"] });
    if (typeof value.token !== "string") issues.push({ message: "a text", path: ["token"] });
    return issues.length > 0 ? { issues } : { value };
  } } },
  start: () => ({ data() {} }),
};
`;

const service = { plugin: "echo", listen: "tcp://127.0.0.1:0" };

async function plan(
  t: Parameters<typeof folder>[0],
  manifest: object,
  variables: Readonly<Record<string, string>>,
): Promise<Plan & { options: readonly unknown[] }> {
  const home = folder(t, { "portico.json": JSON.stringify(manifest), "typed.js": OPTIONS });
  const source = await load(join(home, "portico.json"), variables);
  const expanded = expand(source, sinkCatalog);
  const services = await prepare(expanded, source, sinkCatalog);
  return {
    ...expanded,
    services: services.map(({ plan }) => plan),
    options: services.map(({ options }) => options),
  };
}

const problemsOf = (error: unknown) =>
  (error as ManifestError).problems.map(({ path, received, expected }) => [
    path.join("."),
    received,
    expected,
  ]);

describe("variables", () => {
  test("stand for numbers and booleans everywhere: numbers, quantities, flags, options", async (t) => {
    const { services, options, control } = await plan(t, {
      control: "${CONTROL}",
      defaults: { limits: { idle: "${MS}" } },
      services: {
        one: {
          plugin: "echo",
          listen: {
            endpoint: "tcp://127.0.0.1:${PORT:-0}",
            backlog: "${BACKLOG}",
            noDelay: "${OFF}",
            receiveBuffer: "${BYTES}",
          },
          concurrency: { strategy: "processes", workers: "${WORKERS}", max: "${MAX}" },
          nice: "${NICE}",
          limits: { sessions: "${MAX}", rate: { count: "${MAX}", per: "${MS}" } },
          options: { upper: "${ON}" },
          log: [{
            type: "file",
            path: "x",
            maxSize: "${BYTES}",
            rotate: {
              size: "${BYTES}",
              keep: "${WORKERS}",
              gzip: "${ON}",
            },
          }],
        },
        two: {
          ...service,
          plugin: "./typed.js",
          options: { list: [0, { deep: "${MAX}" }], flag: "${OFF:-true}", token: "${MAX}" },
        },
      },
    }, {
      CONTROL: "false",
      MS: "5000",
      BACKLOG: "7",
      ON: "true",
      OFF: "false",
      BYTES: "4096",
      WORKERS: "2",
      MAX: "12",
      NICE: "-3",
    });
    const [one, two] = services;
    assert.equal(control, false);
    assert.deepEqual(one!.listen[0]!.options, { backlog: 7, noDelay: false, receiveBuffer: 4096 });
    assert.equal(one!.limits.idle, 5000);
    assert.deepEqual(one!.limits.rate, { count: 12, per: 5000 });
    assert.equal(one!.limits.sessions, 12);
    assert.deepEqual([one!.concurrency.workers, one!.concurrency.max], [2, 12]);
    assert.equal(one!.processes.nice, -3);
    assert.deepEqual(options[0], { upper: true });
    assert.deepEqual(one!.options, { upper: true }, "workers are given it too");
    const { maxSize, rotate } = one!.log[0]!.options as Record<string, unknown>;
    assert.deepEqual([maxSize, rotate], [4096, { size: 4096, keep: 2, gzip: true }]);
    const wanted = { list: [0, { deep: 12 }], flag: false, token: "12" };
    assert.deepEqual([options[1], two!.options], [wanted, wanted]);
  });

  test("are told as they are when they are neither, or not in range", async (t) => {
    const manifest = {
      services: {
        one: {
          ...service,
          concurrency: "processes",
          nice: "${NICE}",
          listen: { endpoint: "tcp://127.0.0.1:0", noDelay: "${FLAG}", backlog: "1${ZERO}" },
        },
      },
    };
    const error = await plan(t, manifest, { NICE: "99", FLAG: "yes", ZERO: "0" }).catch((e) => e);
    assert.deepEqual(problemsOf(error).toSorted(), [
      ["services.one.listen.backlog", '"10"', "a whole number above 0"],
      ["services.one.listen.noDelay", '"yes"', "true or false"],
      ["services.one.nice", '"99"', "a whole number from -20 to 19"],
    ]);
  });

  test("are needed: text that a manifest has itself is no number", async (t) => {
    const manifest = { services: { one: { ...service, concurrency: "processes", nice: "3" } } };
    const error = await plan(t, manifest, {}).catch((e) => e);
    assert.deepEqual(problemsOf(error), [
      ["services.one.nice", '"3"', "a whole number from -20 to 19"],
    ]);
  });
});
