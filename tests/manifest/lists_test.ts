/** `allow+=`, `deny-=`, `log+=` …: what a service makes of the lists of `defaults`. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { jsonSchema } from "../../runtime/manifest/json-schema.ts";
import { load } from "../../runtime/manifest/load.ts";
import { defineManifest } from "../../runtime/mod.ts";
import { sinkCatalog } from "../../runtime/sinks/mod.ts";
import { folder } from "../support/folder.ts";
import { expand } from "../support/manifest.ts";
import { blockOf } from "./errors.ts";

const DEFAULTS = {
  access: {
    allow: ["10.0.0.0/8", { from: "192.0.2.1", times: "09:00-17:00" }],
    deny: ["10.6.6.6"],
  },
  log: ["console", { type: "file", path: "all.log" }],
};

const manifestOf = (service: object, defaults: object = DEFAULTS): Record<string, string> => ({
  "portico.json": JSON.stringify({
    defaults,
    services: { echo: { plugin: "echo", listen: "tcp://127.0.0.1:7001", ...service } },
  }),
});

async function planOf(t: TestContext, service: object, defaults?: object) {
  return expand(await load(folder(t, manifestOf(service, defaults)))).services[0]!;
}

test("what is added comes after what defaults has, and what is taken away is not there", async (t) => {
  const rules = async (access: object, defaults?: object): Promise<string[]> => {
    const plan = await planOf(t, { access }, defaults);
    const list = plan.access.rules.map(({ action, subject, times }) =>
      `${action} ${subject}${times === undefined ? "" : ` ${times.join()}`}`
    );
    return [...list, `others ${plan.access.others}`];
  };
  const [ten, hours, bad] = ["allow 10.0.0.0/8", "allow 192.0.2.1 09:00-17:00", "deny 10.6.6.6"];
  assert.deepEqual(await rules({ "allow+=": ["203.0.113.9", "::1"] }), [
    ten,
    hours,
    "allow 203.0.113.9",
    "allow ::1",
    bad,
    "others false",
  ]);
  assert.deepEqual(
    await rules({ "allow-=": ["10.0.0.0/8"], "deny-=": ["10.6.6.6"], "deny+=": ["10.7.7.7"] }),
    [hours, "deny 10.7.7.7", "others false"],
  );
  assert.deepEqual(
    await rules({ "allow-=": [{ from: "192.0.2.1", times: "09:00-17:00" }] }),
    [ten, bad, "others false"],
    "a rule with terms is meant by the same words",
  );
  assert.deepEqual(await rules({ allow: ["::1"] }), ["allow ::1", bad, "others false"]);
  assert.deepEqual(await rules({ "allow+=": ["::1"] }, {}), ["allow ::1", "others false"]);
  assert.deepEqual(await rules({ "deny+=": ["::1"] }, {}), ["deny ::1", "others true"]);
  assert.deepEqual(
    await rules({ "allow-=": ["10.0.0.0/8"] }, { access: { allow: ["10.0.0.0/8"] } }),
    ["others false"],
    "a list that is empty now lets nobody in",
  );
});

test("so it is with sinks; without a log in defaults the console is what is added to", async (t) => {
  const log = async (service: object, defaults?: object) =>
    (await planOf(t, service, defaults)).log.map(({ type, options }) =>
      `${type} ${options["path"] === undefined ? "" : String(options["path"]).replace(/^.*\//, "")}`
        .trim()
    );
  assert.deepEqual(await log({ "log+=": "json" }), ["console", "file all.log", "json"]);
  assert.deepEqual(await log({ "log-=": "console" }), ["file all.log"]);
  assert.deepEqual(
    await log({ "log-=": [{ type: "file", path: "all.log" }], "log+=": ["json", "none"] }),
    ["console", "json", "none"],
  );
  assert.deepEqual(await log({ "log+=": ["json"] }, {}), ["console", "json"]);
  assert.deepEqual(await log({ "log-=": "console" }, {}), []);
});

/** What is wrong, the service, and a part of the block. */
const WRONG: readonly (readonly [string, object, RegExp])[] = [
  [
    "a list beside what adds to it",
    { access: { allow: ["::1"], "allow+=": ["::2"] } },
    /echo\.access\["allow\+="\]\n.*"allow\+=" beside "allow"\n.*allow alone, which takes the place of that of defaults, or allow\+= alone/,
  ],
  [
    "to take away what is not there",
    { access: { "allow-=": ["10.0.0.0/9"] } },
    /\["allow-="\]\[0\]\n.*"10\.0\.0\.0\/9"\n.*one of allow of defaults: "10\.0\.0\.0\/8", \{"from"/,
  ],
  [
    "to take from what is empty",
    { access: { "deny-=": ["10.6.6.6", "10.6.6.6"] } },
    /\["deny-="\]\[1\]\n.*"10\.6\.6\.6"\n.*one of deny of defaults: which is empty/,
  ],
  [
    "to add what is there",
    { access: { "deny+=": ["10.6.6.6"] } },
    /\["deny\+="\]\[0\]\n.*"10\.6\.6\.6" a second time/,
  ],
  [
    "to add to what is no list",
    { "limits+=": { sessions: 1 } },
    /unknown key "limits\+="\n.*\n +hint +\+= and -= are for a service, and for lists/,
  ],
  [
    "to add an address that is none",
    { access: { "allow+=": ["10.0.0.0/99"] } },
    /echo\.access\["allow\+="\]\[0\]\n.*"10\.0\.0\.0\/99"/,
  ],
  ["to add a sink that is none", { "log+=": ["consol"] }, /\["log\+="\]\[0\]\n.*"consol"/],
  ["one sink that is none", { "log+=": "consol" }, /\["log\+="\]\n.*"consol"/],
];
for (const [what, service, block] of WRONG) {
  test(`refuses ${what}`, async (t) => {
    assert.match(await blockOf(t, manifestOf(service)), block);
  });
}

test("defaults itself adds to nothing", async (t) => {
  const text = await blockOf(
    t,
    manifestOf({}, { access: { "allow+=": ["::1"] }, "log+=": "json" }),
  );
  assert.match(text, /defaults\.access\["allow\+="\]\n.*unknown key "allow\+="/);
  assert.match(text, /defaults\["log\+="\]\n.*unknown key "log\+="/);
});

test("types and the schema for editors know them", async () => {
  const manifest = defineManifest({
    defaults: DEFAULTS,
    services: {
      echo: {
        plugin: "echo",
        listen: "tcp://127.0.0.1:7001",
        access: { "allow+=": ["::1"], "deny-=": ["10.6.6.6"] },
        "log+=": ["json"],
      },
    },
  });
  assert.ok(manifest.services["echo"]);
  const schema = await jsonSchema(sinkCatalog, { plugins: new Map(), sinks: new Map() });
  for (const key of ["allow+=", "allow-=", "deny+=", "deny-=", "log+=", "log-="]) {
    assert.ok(schema.includes(JSON.stringify(key)), key);
  }
});
