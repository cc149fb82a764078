/** What a manifest says of bans, and what is wrong in it. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import type { Plan } from "../../runtime/core/plan.ts";
import { portico } from "../support/command.ts";
import { folder } from "../support/folder.ts";
import { expand } from "../support/manifest.ts";

const FILE = "/srv/portico.json";

function planOf(value: object): Plan {
  return expand({ file: FILE, value, locate: () => undefined });
}
const echo = { plugin: "echo", listen: "tcp://127.0.0.1:0" };

describe("bans of a manifest", () => {
  test("what a service says stands over what defaults do; a sensor needs nothing", () => {
    const { services, bans } = planOf({
      bans: { file: "./b.json", most: 7 },
      groups: { office: ["10.1.0.0/16"] },
      defaults: {
        ban: { after: "5 refusals in 1m" },
        access: { never: ["127.0.0.1"] },
        concurrency: "processes",
      },
      services: {
        plain: echo,
        own: { ...echo, ban: { after: "1 offence in 2h", for: "none", datagrams: true } },
        longer: { ...echo, ban: { for: "2h" }, access: { never: ["@office", "uid:0"] } },
        none: { ...echo, ban: { after: "none" } },
        trap: { plugin: "sensor", listen: ["tcp://127.0.0.1:0", "unix:./trap"] },
      },
    });
    const five = { count: 5, per: 60_000, text: "5 refusals in 1m" };
    assert.deepEqual(
      services.map(({ name, ban, sensor, bansUsers, concurrency }) => ({
        name,
        ban,
        sensor,
        bansUsers,
        strategy: concurrency.strategy,
      })),
      [
        {
          name: "plain",
          ban: { after: five, for: 3_600_000, datagrams: false },
          sensor: undefined,
          bansUsers: undefined,
          strategy: "processes",
        },
        {
          name: "own",
          ban: {
            after: { count: 1, per: 7_200_000, text: "1 offence in 2h" },
            for: Infinity,
            datagrams: true,
          },
          sensor: undefined,
          bansUsers: undefined,
          strategy: "processes",
        },
        {
          name: "longer",
          ban: { after: five, for: 7_200_000, datagrams: false },
          sensor: undefined,
          bansUsers: undefined,
          strategy: "processes",
        },
        {
          name: "none",
          ban: undefined,
          sensor: undefined,
          bansUsers: undefined,
          strategy: "processes",
        },
        {
          name: "trap",
          ban: { after: five, for: 3_600_000, datagrams: false },
          sensor: true,
          bansUsers: true,
          // Nobody is served by it: it has no workers.
          strategy: "async",
        },
      ],
    );
    assert.equal(bans.file, join(dirname(FILE), "b.json"));
    assert.equal(bans.most, 7);
    assert.deepEqual(bans.never.map(({ subject }) => subject), [
      "127.0.0.1",
      "10.1.0.0/16",
      "uid:0",
    ]);
    const silent = planOf({ services: { echo } });
    assert.deepEqual(silent.bans, { most: 10_000, never: [] });
    assert.equal(silent.services[0]!.ban, undefined);
  });

  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ ban: { after: "0 refusals in 1m" } }, /"5 refusals in 1m": a number from 1 to 100/],
    [{ ban: { after: "101 refusals in 1m" } }, /"5 refusals in 1m"/],
    [{ ban: { after: "5 refusals in 0s" } }, /"5 refusals in 1m"/],
    [{ ban: { after: "5 refusals" } }, /"5 refusals in 1m"/],
    [{ ban: { after: 5 } }, /"5 refusals in 1m"/],
    [{ ban: { for: "1h" } }, /"after": "5 refusals in 1m"/],
    [{ ban: { after: "5 refusals in 1m", for: "0s" } }, /a duration above 0/],
    [{ ban: { after: "5 refusals in 1m", fro: "1h" } }, /did you mean "for"\?/],
    [{ access: { never: ["localhost:80"] } }, /whom it is about: an address/],
    [{ access: { never: ["@nobody"] } }, /a name of "groups"/],
  ];
  for (const [service, expected] of wrong) {
    test(`${JSON.stringify(service)} is refused`, () => {
      assert.throws(() => planOf({ services: { echo: { ...echo, ...service } } }), expected);
    });
  }

  test("a file that is none, and a bound that is none, are refused", () => {
    const of = (bans: object) => () => planOf({ bans, services: { echo } });
    assert.throws(of({ file: "" }), /a path/);
    assert.throws(of({ most: 0 }), /a whole number from 1 to 1000000/);
    assert.throws(of({ fiel: "x" }), /did you mean "file"\?/);
  });

  test("check says who bans nobody", async (t) => {
    const services = {
      trap: { plugin: "sensor", listen: "udp://127.0.0.1:0" },
      both: { plugin: "sensor", listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"] },
      believes: { plugin: "sensor", listen: "udp://127.0.0.1:0", ban: { datagrams: true } },
    };
    const home = folder(t, { "portico.json": JSON.stringify({ services }) });
    const { out, code } = await portico("check", home);
    assert.equal(code, 0);
    assert.equal(out.match(/bans nobody: it listens for datagrams alone/g)?.length, 1, out);
  });
});
