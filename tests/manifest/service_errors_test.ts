/** Manifests whose services are wrong: what they are, what their processes are, their limits. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { STRATEGY_NAMES } from "../../runtime/core/plan.ts";
import { blockOf, DURATION, LIMITS, refuses, service, type WrongManifest } from "./errors.ts";

const WRONG: readonly WrongManifest[] = [
  ["a list", "[]", `1:1\n  received  []\n  expected  a manifest: { "services": { … } }`],
  ["null", "null", `1:1\n  received  null\n  expected  a manifest: { "services": { … } }`],
  [
    "a list of services",
    '{ "services": [{ "plugin": "echo" }] }',
    `1:15  services\n  received  [{"plugin":"echo"}]\n  expected  { "NAME": { "plugin": …, "listen": … } }, at least one`,
  ],
  [
    "no services",
    "{}",
    `1:1\n  received  no "services"\n  expected  "services": { "NAME": { "plugin": …, "listen": … } }, at least one`,
  ],
  [
    "empty services",
    '{ "services": {} }',
    `1:15  services\n  received  {}\n  expected  { "NAME": { "plugin": …, "listen": … } }, at least one`,
  ],
  [
    "an unknown key at the root",
    `{ "servces": 1,\n  ${service("").slice(1)}`,
    `1:3  servces\n  received  the unknown key "servces"\n  expected  one of $schema, plugins, sinks, defaults, groups, resolver, bans, includedir, control, user, group, umask, services\n  hint      did you mean "services"?`,
  ],
  [
    "a service that is no object",
    '{ "services": { "a": 5 } }',
    `1:22  services.a\n  received  5\n  expected  a service: { "plugin": …, "listen": … }`,
  ],
  [
    "a service without a plugin",
    '{ "services": { "a": { "listen": "tcp://*:0" } } }',
    `1:22  services.a\n  received  no "plugin"\n  expected  "plugin": a built-in plugin, a short name, ./path or an npm package`,
  ],
  [
    "a service that listens nowhere",
    '{ "services": { "a": { "plugin": "echo" } } }',
    `1:22  services.a\n  received  no "listen"\n  expected  "listen": where it listens`,
  ],
  [
    "a service's name with a space",
    '{ "services": { "a b": { "plugin": "echo", "listen": "tcp://*:0" } } }',
    `1:17  services["a b"]\n  received  the name "a b"\n  expected  a name of letters, digits, - and _, which begins with a letter or digit`,
  ],
  [
    "an unknown strategy",
    service('"concurrency": "asnc"'),
    `2:18  services.echo.concurrency\n  received  "asnc"\n  expected  a strategy: ${
      STRATEGY_NAMES.join(", ")
    }\n  hint      did you mean "async"?`,
  ],
  [
    "an unknown strategy in an object",
    service('"concurrency": { "strategy": "thread" }'),
    `2:32  services.echo.concurrency.strategy\n  received  "thread"\n  expected  a strategy: ${
      STRATEGY_NAMES.join(", ")
    }\n  hint      did you mean "threads"?`,
  ],
  [
    "a maximum for serial",
    service('"concurrency": { "strategy": "serial", "max": 2 }'),
    `2:42  services.echo.concurrency.max\n  received  the unknown key "max"\n  expected  only strategy`,
  ],
  [
    "no worker",
    service('"concurrency": { "strategy": "threads", "workers": 0 }'),
    `2:54  services.echo.concurrency.workers\n  received  0\n  expected  a whole number from 1 to 1024, or "auto"`,
  ],
  [
    "fewer workers than none",
    service('"concurrency": { "strategy": "processes", "workers": -1 }'),
    `2:56  services.echo.concurrency.workers\n  received  -1\n  expected  a whole number from 1 to 1024, or "auto"`,
  ],
  [
    "more workers than a machine can have",
    service('"concurrency": { "strategy": "threads", "workers": 10000 }'),
    `2:54  services.echo.concurrency.workers\n  received  10000\n  expected  a whole number from 1 to 1024, or "auto"`,
  ],
  [
    "workers in words",
    service('"concurrency": { "strategy": "threads", "workers": "many" }'),
    `2:54  services.echo.concurrency.workers\n  received  "many"\n  expected  a whole number from 1 to 1024, or "auto"`,
  ],
  [
    "too many workers as text",
    service('"concurrency": { "strategy": "threads", "workers": "10000" }'),
    `2:54  services.echo.concurrency.workers\n  received  "10000"\n  expected  a whole number from 1 to 1024, or "auto"`,
  ],
  [
    "workers for spawn",
    service('"concurrency": { "strategy": "spawn", "workers": 2 }'),
    `2:41  services.echo.concurrency.workers\n  received  the unknown key "workers"\n  expected  one of strategy, max`,
  ],
  [
    "half a process",
    service('"concurrency": { "strategy": "spawn", "max": 0 }'),
    `2:48  services.echo.concurrency.max\n  received  0\n  expected  a whole number above 0; "none" for no limit`,
  ],
  [
    "a user for threads",
    service('"user": "www",\n  "concurrency": "threads"'),
    `2:3  services.echo.user\n  received  "user" with the strategy "threads"\n  expected  a thread cannot have a user of its own: use processes or spawn, or user at the top of the manifest`,
  ],
  [
    "an environment for async",
    service('"env": { "A": "1" }'),
    `2:3  services.echo.env\n  received  "env" with the strategy "async"\n  expected  a service of the strategy async, which runs inside the server, cannot have an environment of its own: use processes or spawn`,
  ],
  [
    "a priority for serial",
    service('"concurrency": "serial", "nice": 5'),
    `2:28  services.echo.nice\n  received  "nice" with the strategy "serial"\n  expected  a service of the strategy serial, which runs inside the server, cannot have a priority of its own: use processes or spawn`,
  ],
  [
    "a priority that there is not",
    service('"concurrency": "spawn", "nice": 20'),
    `2:35  services.echo.nice\n  received  20\n  expected  a whole number from -20 to 19`,
  ],
  [
    "a mask that is a number",
    service('"concurrency": "spawn", "umask": 27'),
    `2:36  services.echo.umask\n  received  27\n  expected  a mask in octal, in quotes: "027"`,
  ],
  [
    "a user with a group beside",
    service('"concurrency": "spawn", "user": "www:www"'),
    `2:35  services.echo.user\n  received  "www:www"\n  expected  the name or number of a user`,
  ],
  [
    "another user than the server's",
    '{ "user": "www",\n  "services": { "echo": { "plugin": "echo", "listen": "tcp://*:7", "concurrency": "spawn",\n  "user": "mail" } } }',
    `3:11  services.echo.user\n  received  "mail" beside "www" as the user of the whole server\n  expected  no user here, or no user at the top of the manifest: whoever is not root can start nobody else`,
  ],
  [
    "a priority that a server without rights cannot give",
    '{ "user": "www",\n  "services": { "echo": { "plugin": "echo", "listen": "tcp://*:7", "concurrency": "spawn",\n  "user": "www", "nice": -1 } } }',
    `3:26  services.echo.nice\n  received  -1 beside "www" as the user of the whole server\n  expected  no nice here, or no user at the top of the manifest: whoever is not root can start nobody else`,
  ],
  [
    "a group below 0",
    service('"concurrency": "spawn", "group": -1'),
    `2:36  services.echo.group\n  received  -1\n  expected  the name or number of a group`,
  ],
  [
    "a variable that is a number",
    service('"concurrency": "spawn", "env": { "PORT": 7 }'),
    `2:44  services.echo.env.PORT\n  received  7\n  expected  variables, as { "TZ": "UTC" }; null takes one out of the environment`,
  ],
  [
    "a variable with = in its name",
    service('"concurrency": "spawn", "env": { "A=B": "" }'),
    `2:36  services.echo.env["A=B"]\n  received  the name "A=B"\n  expected  the name of a variable, without =`,
  ],
  [
    "a stall where nobody watches",
    service('"limits": { "stall": "5s" }'),
    `2:15  services.echo.limits.stall\n  received  "stall" with the strategy "async"\n  expected  threads, processes or spawn: nobody watches a service that runs inside the server`,
  ],
  ...(["idle", "firstByte"] as const).map((limit): [string, string, string] => [
    `${limit} for HTTP alone`,
    `{ "services": { "web": { "plugin": "echo", "listen": ["http://*:80", "udp://*:81"],\n  "limits": { "${limit}": "5s" } } } }`,
    `2:15  services.web.limits.${limit}\n  received  "${limit}" where only HTTP is listened for\n  expected  lifetime, which ends a request that takes too long; connections are the HTTP server's own affair`,
  ]),
  [
    "a writeBuffer for HTTP alone",
    `{ "services": { "web": { "plugin": "echo", "listen": "http+unix:./a",\n  "limits": { "writeBuffer": "1MB" } } } }`,
    `2:15  services.web.limits.writeBuffer\n  received  "writeBuffer" where only HTTP is listened for\n  expected  no such limit: an answer that streams is read as fast as it goes out; connections are the HTTP server's own affair`,
  ],
  [
    "a control socket on a port",
    `{ "control": "tcp://127.0.0.1:9",\n  ${service("").slice(1)}`,
    `1:14  control\n  received  "tcp://127.0.0.1:9"\n  expected  a Unix socket, as "unix:./control.sock"`,
  ],
  [
    "a control socket without a file",
    `{ "control": "unix:@portico",\n  ${service("").slice(1)}`,
    `1:14  control\n  received  "unix:@portico"\n  expected  a Unix socket, as "unix:./control.sock", in a folder: an abstract one is open to everybody`,
  ],
  [
    "a control socket that is a service's",
    `{ "control": "./a/../e.sock",\n  ${service("", `"listen": "unix:e.sock"`).slice(1)}`,
    `1:14  control\n  received  "./a/../e.sock" a second time\n  expected  each endpoint once: services.echo has it already (4:13)`,
  ],
  [
    "a control socket that is true",
    `{ "control": true,\n  ${service("").slice(1)}`,
    `1:14  control\n  received  true\n  expected  the path of a socket, as "unix:./control.sock", or false for none`,
  ],
  [
    "a duration in another unit",
    service('"limits": { "idle": "60 parsecs" }'),
    `2:23  services.echo.limits.idle\n  received  "60 parsecs"\n  expected  ${DURATION}`,
  ],
  [
    "a duration that no timer can count",
    service('"limits": { "idle": "600h" }'),
    `2:23  services.echo.limits.idle\n  received  "600h"\n  expected  ${DURATION}`,
  ],
  [
    "a duration of 0",
    service('"limits": { "idle": 0 }'),
    `2:23  services.echo.limits.idle\n  received  0\n  expected  ${DURATION}`,
  ],
  [
    "half a session",
    service('"limits": { "sessions": 0.5 }'),
    `2:27  services.echo.limits.sessions\n  received  0.5\n  expected  a whole number above 0; "none" for no limit`,
  ],
  [
    "a rate without its time",
    service('"limits": { "rate": "50" }'),
    `2:23  services.echo.limits.rate\n  received  "50"\n  expected  a rate: "50/s", "600/m", "1000/h", "50/s burst 100" or { "count": 50, "per": "1s" }; "none" for no limit`,
  ],
  [
    "a wrong size",
    service('"limits": { "writeBuffer": "16 MB" }'),
    `2:30  services.echo.limits.writeBuffer\n  received  "16 MB"\n  expected  a size: "64KiB", "10MB" or a whole number of bytes, at least 1; "none" for no limit`,
  ],
  [
    "two names for one limit",
    service('"limits": { "wait": "1s", "hold": "2s" }'),
    `2:29  services.echo.limits.hold\n  received  "hold" beside "wait"\n  expected  one of the two: hold is what wait was called before`,
  ],
  ...['"1KiB"', '"0B/30s"', '"1KiB/0s"', "1024", '"1KiB/600h"'].map((
    value,
  ): [string, string, string] => [
    `progress of ${value}`,
    service(`"limits": { "progress": ${value} }`),
    `2:27  services.echo.limits.progress\n  received  ${value}\n  expected  bytes in a time: "1KiB/30s", "256B/2m" or { "bytes": 1024, "per": "30s" }, both above 0; "none" for no limit`,
  ]),
  [
    "a wrong overflow",
    service('"limits": { "overflow": "queue" }'),
    `2:27  services.echo.limits.overflow\n  received  "queue"\n  expected  "wait", "refuse", "reset", "drop" or "shed"; or one for each limit, as { "sessions": "shed", "rate": "wait" }`,
  ],
  [
    "an overflow that means nothing to that limit",
    service('"limits": { "overflow": { "rate": "shed" } }'),
    `2:37  services.echo.limits.overflow.rate\n  received  "shed"\n  expected  "wait", "refuse", "reset", "drop"`,
  ],
  [
    "an overflow that waits for its own rate",
    service('"limits": { "overflow": { "ratePerSource": "wait" } }'),
    `2:46  services.echo.limits.overflow.ratePerSource\n  received  "wait"\n  expected  "refuse", "reset", "drop"`,
  ],
  [
    "an overflow that means nothing to streams",
    service('"limits": { "overflow": "drop" }'),
    `2:27  services.echo.limits.overflow\n  received  "drop" where streams come: who connects is heard of, nothing can be dropped in silence\n  expected  "wait", "refuse", "reset", "shed"`,
  ],
  [
    "a rest without a rate",
    service('"limits": { "rest": "30s" }'),
    `2:15  services.echo.limits.rest\n  received  a rest without a rate\n  expected  "rate": above which the service rests, as "50/s"`,
  ],
  [
    "nobody who may wait",
    service('"limits": { "waiting": 0 }'),
    `2:26  services.echo.limits.waiting\n  received  0\n  expected  a number of sessions, or { "sessions": 1000, "bytes": "32MiB" }`,
  ],
  [
    "a load of nothing",
    service('"limits": { "load": { "average": 0 } }'),
    `2:36  services.echo.limits.load.average\n  received  0\n  expected  a load average above 0`,
  ],
  [
    "an unknown limit",
    service('"limits": { "ilde": "1s" }'),
    `2:15  services.echo.limits.ilde\n  received  the unknown key "ilde"\n  expected  one of ${LIMITS}\n  hint      did you mean "idle"?`,
  ],
  [
    "a rule that is no address",
    service('"access": { "allow": ["127.0.0.1", "10.0.0.0/33"] }'),
    `2:38  services.echo.access.allow[1]\n  received  "10.0.0.0/33"\n  expected  whom it is about: an address, ADDRESS/PREFIX, ADDRESS-ADDRESS, HOST or .DOMAIN by name, "@GROUP", "file:PATH", "user:NAME", "group:NAME", "uid:N", "gid:N" or "cert:subject=…"`,
  ],
];

describe("services of a manifest", () => {
  refuses("expand", "the manifest is wrong", WRONG);
  test("expand does not judge what depends on a strategy that is not known", async (t) => {
    const text = service('"concurrency": "spwan", "user": "www", "limits": { "stall": "1s" }');
    assert.match(await blockOf(t, { "portico.json": text }), /^error: the manifest is wrong\n/);
  });
  test("expand tells of everything that is wrong, in the order of the text", async (t) => {
    const block = await blockOf(t, {
      "portico.json": `{
  "services": {
    "a": { "plugin": "echo", "lissen": 1, "limits": { "idle": 0, "x": 1, "y": 2 } },
    "b": { "plugin": "nope", "listen": "tcp://*:70000", "log": "nowhere" }
  }
}`,
    });
    const places = block.split("\n").filter((line) => line.startsWith("portico.json:"));
    assert.match(block, /^error: the manifest is wrong \(8 problems\)\n/);
    assert.deepEqual(places, [
      "portico.json:3:10  services.a",
      "portico.json:3:30  services.a.lissen",
      "portico.json:3:63  services.a.limits.idle",
      "portico.json:3:66  services.a.limits.x",
      "portico.json:3:74  services.a.limits.y",
      "portico.json:4:22  services.b.plugin",
      "portico.json:4:40  services.b.listen",
      "portico.json:4:64  services.b.log",
    ]);
  });
});
