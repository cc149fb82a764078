import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { renderError } from "../runtime/terminal/failure.ts";
import { PorticoError } from "../runtime/core/errors.ts";
import { STRATEGY_NAMES } from "../runtime/core/plan.ts";
import { EVENTS } from "../runtime/core/record.ts";
import { load } from "../runtime/manifest/load.ts";
import { BUILT_IN } from "../runtime/modules/resolve.ts";
import { sinkTypes } from "../runtime/sinks/mod.ts";
import { folder } from "./support/folder.ts";
import { expand, prepare } from "./support/manifest.ts";

/** The block that a user reads for a folder of files; the folder itself is written as HOME. */
async function blockOf(t: TestContext, files: Record<string, string>, at = "."): Promise<string> {
  const home = folder(t, files);
  try {
    const source = await load(join(home, at), { SET: "1" });
    await prepare(expand(source), source);
  } catch (error) {
    if (!(error instanceof PorticoError)) throw error;
    return renderError(error, home).replaceAll(home, "HOME");
  }
  throw new assert.AssertionError({ message: "nothing was wrong" });
}

/** A manifest of one service on the second line, which listens on the third. */
function service(entries: string, listen = `"listen": "tcp://127.0.0.1:7007"`): string {
  return `{ "services": { "echo": { "plugin": "echo",\n  ${
    entries === "" ? "" : `${entries},`
  }\n  ${listen}\n} } }`;
}

const PLUGINS = `expected  a built-in plugin: ${BUILT_IN.join(", ")}
            a short name: "plugins" has none
            a path: ./… ../… or /…
            an npm package: none of this name is installed for HOME
            npm:… jsr:… https:… where the runtime can`;
const SINKS = sinkTypes.join(", ");
const POLICIES = "level, events, fields, sample, optional";
const DURATION =
  `a duration above 0: "250ms", "30s", "5m", "1h" (at most 596h) or a number of milliseconds; "none" for no limit`;
const LIMITS =
  "sessions, perSource, rate, idle, firstByte, lifetime, hold, writeBuffer, overflow, drain, start, stall";
const LONG = "x".repeat(120);

/** What is wrong, the manifest, and the block without its headline; the headline when it is another. */
const INVALID: [string, string, string][] = [
  [
    "an empty file",
    "",
    `1:1\n  received  an empty file\n  expected  a manifest: { "services": { … } }`,
  ],
  [
    "a file of comments",
    "// nothing\n",
    `2:1\n  received  an empty file\n  expected  a manifest: { "services": { … } }`,
  ],
  [
    "a missing comma",
    '{\n  "services": {}\n  "sinks": {}\n}',
    `3:3\n  received  "\\"sinks\\""\n  expected  a comma between two entries`,
  ],
  [
    "a missing brace",
    '{ "services": {',
    `1:16\n  received  the end of the file\n  expected  a closing }`,
  ],
  [
    "text without quotes",
    '{ "services": none }',
    `1:15\n  received  "none"\n  expected  a value: text in double quotes, a number, true, false, null, { or [`,
  ],
  [
    "the same key twice",
    '{ "services": {},\n  "services": {} }',
    `2:3  services\n  received  the key "services" a second time\n  expected  each key once in an object`,
  ],
  [
    "a key that objects cannot hold",
    '{ "services": { "constructor": {} } }',
    `1:17  services.constructor\n  received  the key "constructor"\n  expected  another name`,
  ],
];

const WRONG: [string, string, string][] = [
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
    `1:3  servces\n  received  the unknown key "servces"\n  expected  one of $schema, plugins, sinks, defaults, control, user, group, umask, services\n  hint      did you mean "services"?`,
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
    `2:23  services.echo.limits.rate\n  received  "50"\n  expected  a rate: "50/s", "600/m", "1000/h" or { "count": 50, "per": "1s" }; "none" for no limit`,
  ],
  [
    "a wrong size",
    service('"limits": { "writeBuffer": "16 MB" }'),
    `2:30  services.echo.limits.writeBuffer\n  received  "16 MB"\n  expected  a size: "64KiB", "10MB" or a whole number of bytes, at least 1; "none" for no limit`,
  ],
  [
    "a wrong overflow",
    service('"limits": { "overflow": "drop" }'),
    `2:27  services.echo.limits.overflow\n  received  "drop"\n  expected  "refuse" or "hold"`,
  ],
  [
    "an unknown limit",
    service('"limits": { "ilde": "1s" }'),
    `2:15  services.echo.limits.ilde\n  received  the unknown key "ilde"\n  expected  one of ${LIMITS}\n  hint      did you mean "idle"?`,
  ],
  [
    "a rule that is no address",
    service('"access": { "allow": ["127.0.0.1", "10.0.0.0/33"] }'),
    `2:38  services.echo.access.allow[1]\n  received  "10.0.0.0/33"\n  expected  a rule is an IP address or ADDRESS/PREFIX, as in 10.0.0.0/8 or fe80::/10`,
  ],
  [
    "an unknown sink",
    service('"log": ["json", "consle"]'),
    `2:19  services.echo.log[1]\n  received  "consle"\n  expected  a sink: ${SINKS}, or a name of "sinks" (it has none)\n  hint      did you mean "console"?`,
  ],
  [
    "an unknown type of sink",
    service('"log": { "type": "jsn" }'),
    `2:20  services.echo.log.type\n  received  "jsn"\n  expected  a type of sink: ${SINKS}, or a name of "sinks" (it has none)\n  hint      did you mean "json"?`,
  ],
  [
    "a syslog sink with an unknown facility",
    service('"log": { "type": "syslog", "facility": "deamon" }'),
    `2:42  services.echo.log.facility\n  received  "deamon"\n  expected  a facility: kern, user, mail, daemon, auth, syslog, lpr, news, uucp, cron, authpriv, ftp, local0, local1, local2, local3, local4, local5, local6, local7\n  hint      did you mean "daemon"?`,
  ],
  [
    "a syslog server on no transport of syslog",
    service('"log": { "type": "syslog", "to": "http://logs" }'),
    `2:36  services.echo.log.to\n  received  "http://logs"\n  expected  the address of a syslog server is one of unix:PATH, udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT`,
  ],
  [
    "a syslog server on every address",
    service('"log": { "type": "syslog", "to": "udp://*:514" }'),
    `2:36  services.echo.log.to\n  received  "udp://*:514"\n  expected  a host and a port are needed to send to, as in udp://127.0.0.1:514`,
  ],
  [
    "a syslog server with a port out of range",
    service('"log": { "type": "syslog", "to": "tcp://logs:70000" }'),
    `2:36  services.echo.log.to\n  received  "tcp://logs:70000"\n  expected  a port is 0 to 65535`,
  ],
  [
    "a syslog server without a host",
    service('"log": { "type": "syslog", "to": "tcp://:514" }'),
    `2:36  services.echo.log.to\n  received  "tcp://:514"\n  expected  a host is needed, as in tcp://127.0.0.1:7007, or * for all`,
  ],
  [
    "a syslog server whose host is none",
    service('"log": { "type": "syslog", "to": "tcp://a b:514" }'),
    `2:36  services.echo.log.to\n  received  "tcp://a b:514"\n  expected  a host is a name of letters, digits, - and . or an address`,
  ],
  [
    "a path of a sink's module that is none",
    service('"log": { "type": "./no.ts", "to": "a" }'),
    `2:20  services.echo.log.type\n  received  "./no.ts", and HOME/no.ts does not exist\n  expected  the path of a module, relative to the manifest`,
  ],
  [
    "a mode of a log file that is a number",
    service('"log": { "type": "file", "path": "a", "mode": 640 }'),
    `2:49  services.echo.log.mode\n  received  640\n  expected  permissions as chmod takes them, in quotes: "0640"`,
  ],
  [
    "half a byte",
    service('"log": { "type": "file", "path": "a", "maxSize": 1.5 }'),
    `2:52  services.echo.log.maxSize\n  received  1.5\n  expected  a size: "64KiB", "10MB" or a whole number of bytes, at least 1`,
  ],
  [
    "a share below 0",
    service('"log": { "type": "json", "sample": -0.1 }'),
    `2:38  services.echo.log.sample\n  received  -0.1\n  expected  a share of the sessions: a number from 0 to 1`,
  ],
  [
    "framing over UDP",
    service('"log": { "type": "syslog", "to": "udp://logs", "framing": "lf" }'),
    `2:61  services.echo.log.framing\n  received  "lf"\n  expected  nothing: each message is a datagram over UDP`,
  ],
  [
    "options of TLS without TLS",
    service('"log": { "type": "syslog", "to": "tcp://logs", "tls": {} }'),
    `2:57  services.echo.log.tls\n  received  {}\n  expected  nothing: only tls:// takes it`,
  ],
  [
    "a certificate without its key",
    service('"log": { "type": "syslog", "to": "tls://logs", "tls": { "cert": "a.pem" } }'),
    `2:57  services.echo.log.tls\n  received  {"cert":"a.pem"}\n  expected  both cert and key, or neither`,
  ],
  [
    "a syslog message that is cut to nothing",
    service('"log": { "type": "syslog", "maxSize": 100 }'),
    `2:41  services.echo.log.maxSize\n  received  100\n  expected  a size from 480 bytes, on a datagram to 65507: larger messages are cut; 8KiB when silent, over UDP 2048`,
  ],
  [
    "a queue of nothing",
    service('"log": { "type": "journald", "queue": 0 }'),
    `2:41  services.echo.log.queue\n  received  0\n  expected  a whole number from 1 to 10000000`,
  ],
  [
    "an unknown option of syslog",
    service('"log": { "type": "syslog", "fasility": "user" }'),
    `2:30  services.echo.log.fasility\n  received  the unknown key "fasility"\n  expected  one of to, format, framing, facility, appName, hostname, sdId, maxSize, queue, queueBytes, overflow, tls, level, events, fields, sample, optional\n  hint      did you mean "facility"?`,
  ],
  [
    "a file sink without a path",
    service('"log": "file"'),
    `2:10  services.echo.log\n  received  no "path"\n  expected  "path": the path of the log file, relative to the manifest`,
  ],
  [
    "an unknown option of a sink",
    service('"log": { "type": "console", "colour": true }'),
    `2:31  services.echo.log.colour\n  received  the unknown key "colour"\n  expected  one of stream, ${POLICIES}`,
  ],
  [
    "a wrong level",
    service('"log": { "type": "json", "level": "warning" }'),
    `2:37  services.echo.log.level\n  received  "warning"\n  expected  a level: debug, info, warn, error\n  hint      did you mean "warn"?`,
  ],
  [
    "an unknown event",
    service('"log": { "type": "json", "events": ["open", "closed"] }'),
    `2:47  services.echo.log.events[1]\n  received  "closed"\n  expected  an event: ${
      EVENTS.join(", ")
    }\n  hint      did you mean "close"?`,
  ],
  [
    "no event at all",
    service('"log": { "type": "json", "events": [] }'),
    `2:38  services.echo.log.events\n  received  []\n  expected  a list of events, as ["open", "close"]`,
  ],
  [
    "a slip in a policy",
    service('"log": { "type": "json", "evnts": ["open"] }'),
    `2:28  services.echo.log.evnts\n  received  the unknown key "evnts"\n  expected  one of stream, ${POLICIES}\n  hint      did you mean "events"?`,
  ],
  [
    "a share above 1",
    service('"log": { "type": "json", "sample": 10 }'),
    `2:38  services.echo.log.sample\n  received  10\n  expected  a share of the sessions: a number from 0 to 1`,
  ],
  [
    "a field that has no name",
    service('"log": { "type": "json", "fields": ["host name"] }'),
    `2:39  services.echo.log.fields[0]\n  received  "host name"\n  expected  the name of a field: letters, digits and _`,
  ],
  [
    "a size of a log file that is none",
    service('"log": { "type": "file", "path": "a", "rotate": { "size": "10 MB" } }'),
    `2:61  services.echo.log.rotate.size\n  received  "10 MB"\n  expected  a size: "64KiB", "10MB" or a whole number of bytes, at least 1`,
  ],
  [
    "a period that is none",
    service('"log": { "type": "file", "path": "a", "rotate": { "every": "daily" } }'),
    `2:62  services.echo.log.rotate.every\n  received  "daily"\n  expected  a period: "15m", "1h", "1d", "7d"`,
  ],
  [
    "a rotation without a when",
    service('"log": { "type": "file", "path": "a", "rotate": { "keep": 3 } }'),
    `2:51  services.echo.log.rotate\n  received  {"keep":3}\n  expected  { "size": "10MB" } or { "every": "1d" } or both, with "keep" and "gzip"`,
  ],
  [
    "a soft limit above the hard one",
    service('"log": { "type": "file", "path": "a", "warnSize": "2MB", "maxSize": "1MB" }'),
    `2:10  services.echo.log\n  received  {"type":"file","path":"a","warnSize":"2MB","maxSize":"1MB"}\n  expected  "warnSize" below "maxSize"`,
  ],
  [
    "one log file with two formats",
    service(
      '"log": [{ "type": "file", "path": "a" }, { "type": "file", "path": "./a", "format": "text" }]',
    ),
    `2:70  services.echo.log[1].path\n  received  "HOME/a", which another sink writes with other options\n  expected  the same options, or a file of its own; declare it in "sinks" and name it where it is used`,
  ],
  [
    "an option beside the name of a declared sink",
    `{ "sinks": { "audit": { "type": "file", "path": "a" } }, "services": { "echo": {
  "plugin": "echo", "listen": "tcp://*:1", "log": { "type": "audit", "path": "b" } } } }`,
    `2:70  services.echo.log.path\n  received  the unknown key "path"\n  expected  only ${POLICIES}: the sink "audit" is declared, with its options`,
  ],
  [
    "a slip in the name of a declared sink",
    `{ "sinks": { "audit": { "type": "file", "path": "a" } }, "services": { "echo": {
  "plugin": "echo", "listen": "tcp://*:1", "log": { "type": "adit" } } } }`,
    `2:61  services.echo.log.type\n  received  "adit"\n  expected  a type of sink: ${SINKS}, or a name of "sinks": audit\n  hint      did you mean "audit"?`,
  ],
  [
    "a port out of range",
    service("", `"listen": "tcp://127.0.0.1:99999"`),
    `3:13  services.echo.listen\n  received  "tcp://127.0.0.1:99999"\n  expected  a port is 0 to 65535`,
  ],
  [
    "a port whose name is not known",
    service("", `"listen": ["tcp://127.0.0.1:daytme"]`),
    `3:14  services.echo.listen[0]\n  received  "tcp://127.0.0.1:daytme"\n  expected  "daytme" is neither a port from 0 to 65535 nor a service of /etc/services`,
  ],
  [
    "an unknown transport",
    service("", `"listen": "tpc://127.0.0.1:1"`),
    `3:13  services.echo.listen\n  received  "tpc://127.0.0.1:1"\n  expected  an endpoint is one of tcp://HOST:PORT, tls://HOST:PORT, udp://HOST:PORT, unix:PATH, unixgram:PATH, http://HOST:PORT, https://HOST:PORT, http+unix:PATH, systemd:NAME, fd:N or stdio:\n  hint      did you mean "tcp"?`,
  ],
  [
    "no endpoint",
    service("", `"listen": []`),
    `3:13  services.echo.listen\n  received  []\n  expected  at least one endpoint`,
  ],
  [
    "a number as endpoint",
    service("", `"listen": 7007`),
    `3:13  services.echo.listen\n  received  7007\n  expected  an endpoint as text, an object { "endpoint": …, "backlog": … } with socket options, or a list of these`,
  ],
  [
    "a mode that is a number",
    service("", `"listen": { "endpoint": "unix:a", "mode": 660 }`),
    `3:45  services.echo.listen.mode\n  received  660\n  expected  permissions as chmod takes them, in quotes: "0660"`,
  ],
  [
    "the same endpoint twice",
    service("", `"listen": ["tcp://*:7", "tcp://*:echo"]`),
    `3:27  services.echo.listen[1]\n  received  "tcp://*:echo" a second time\n  expected  each endpoint once: services.echo has it already (3:14)`,
  ],
  [
    "TLS on a port that TCP has",
    service("", `"listen": ["tcp://*:7", { "endpoint": "tls://*:7" }]`),
    `3:41  services.echo.listen[1].endpoint\n  received  "tls://*:7" a second time\n  expected  each endpoint once: services.echo has it already (3:14)`,
  ],
  [
    "the same descriptor twice",
    service("", `"listen": ["fd:3", "fd:03"]`),
    `3:22  services.echo.listen[1]\n  received  "fd:03" a second time\n  expected  each endpoint once: services.echo has it already (3:14)`,
  ],
  [
    "a descriptor that no process has",
    service("", `"listen": "fd:2147483648"`),
    `3:13  services.echo.listen\n  received  "fd:2147483648"\n  expected  a descriptor from 0 to 2147483647`,
  ],
  [
    "stdio: under spawn",
    service('"concurrency": "spawn"', `"listen": "stdio:"`),
    `2:18  services.echo.concurrency\n  received  the strategy "spawn" with stdio:\n  expected  serial or async: what comes by stdio: is served by the process that inetd has started`,
  ],
  [
    "stdio: among others",
    service("", `"listen": ["stdio:", "tcp://*:7"]`),
    `3:13  services.echo.listen\n  received  stdio: among 2 endpoints\n  expected  stdio: alone: the service is over when what came by it is; give the others a service of their own`,
  ],
  [
    "a log on the peer's own stream",
    service('"log": { "type": "json", "stream": "stdout" }', `"listen": "stdio:"`),
    `2:38  services.echo.log.stream\n  received  "stdout", and an endpoint is stdio:\n  expected  "stderr": standard output is the peer there`,
  ],
  [
    "a mode for a socket that is there",
    service("", `"listen": { "endpoint": "systemd:web", "mode": "0660" }`),
    `3:42  services.echo.listen.mode\n  received  "mode" for systemd:web, a socket that is open already\n  expected  whoever opened the socket to set it; here backlog, noDelay, keepAlive, receiveBuffer, sendBuffer, ttl, broadcast, multicast, multicastTtl, multicastLoopback, device, deferAccept, fastOpen, userTimeout, dscp can be set`,
  ],
  [
    "a variable that is not set",
    service("", `"listen": "tcp://*:\${NO_SUCH}"`),
    `3:13  services.echo.listen\n  received  \${NO_SUCH}, and NO_SUCH is not set\n  expected  the variable NO_SUCH in the environment, or a default: \${NO_SUCH:-…}`,
  ],
  [
    "a variable without its brace",
    service("", `"listen": "tcp://*:\${SET"`),
    `3:13  services.echo.listen\n  received  \${SET\n  expected  \${NAME} or \${NAME:-default}; $\${ for the characters themselves`,
  ],
];

describe("manifest", () => {
  for (const [what, text, block] of INVALID) {
    test(`load refuses ${what}`, async (t) => {
      assert.equal(
        await blockOf(t, { "portico.json": text }),
        `error: the manifest cannot be read\n\nportico.json:${block}`,
      );
    });
  }
  for (const [what, text, block] of WRONG) {
    test(`expand refuses ${what}`, async (t) => {
      assert.equal(
        await blockOf(t, { "portico.json": text }),
        `error: the manifest is wrong\n\nportico.json:${block}`,
      );
    });
  }
  test("expand refuses a socket's path that the kernel cannot hold", async (t) => {
    const block = await blockOf(t, {
      "portico.json": service("", `"listen": "unix:./${LONG}"`),
    });
    assert.match(
      block,
      /^error: the path of a Unix socket is too long\n\nportico.json:3:13 {2}services.echo.listen\n/,
    );
    assert.match(block, /received {2}the path HOME\/x+ has 1\d\d bytes\n/);
    assert.match(block, /hint {6}give it a short absolute path, as unix:\/run\/echo.sock$/);
  });
  test("expand says where stdio: stands already", async (t) => {
    const block = await blockOf(t, {
      "portico.json": `{ "services": {
  "a": { "plugin": "echo", "listen": "stdio:" },
  "b": { "plugin": "echo", "listen": "fd:0" }
} }`,
    });
    assert.match(block, /portico.json:3:38 {2}services.b.listen\n {2}received {2}"fd:0" a second/);
    assert.match(block, /services.a has it already \(2:38\)$/);
  });
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

describe("places", () => {
  const names = "portico.json, portico.jsonc, portico.ts";
  test("load refuses a path where nothing is", async (t) => {
    assert.equal(
      await blockOf(t, {}, "no/such"),
      `error: there is no manifest\n\nno/such\n  received  no such file or folder\n  expected  a manifest, or a folder with ${names}`,
    );
  });
  test("load refuses a folder without a manifest", async (t) => {
    assert.equal(
      await blockOf(t, { "in/other.json": "{}" }, "in"),
      `error: there is no manifest\n\nin\n  received  a folder without a manifest\n  expected  one of ${names} in it`,
    );
  });
  test("load refuses a folder with two manifests", async (t) => {
    assert.equal(
      await blockOf(t, { "in/portico.json": "{}", "in/portico.ts": "" }, "in"),
      "error: the manifest is wrong\n\nin\n  received  a folder with portico.json and portico.ts\n  expected  one of them, or the path of the one to run",
    );
  });
});

describe("modules", () => {
  test("load refuses a portico.ts without a default export", async (t) => {
    assert.equal(
      await blockOf(t, { "portico.ts": "export const a = 1;\n" }),
      "error: the manifest is wrong\n\nportico.ts\n  received  a module without a default export\n  expected  export default defineManifest({ services: { … } })",
    );
  });
  test("load says where a portico.ts throws, without a stack", async (t) => {
    const block = await blockOf(t, { "portico.ts": '\nthrow new Error("bad luck");\n' });
    assert.match(
      block,
      /^error: the manifest cannot be read\n\nportico.ts:2:\d+\n {2}received {2}bad luck\n {2}expected {2}a module that can be imported$/,
    );
  });
  test("load says where a portico.ts is cut, without a stack", async (t) => {
    const block = await blockOf(t, { "portico.ts": "export default {\n  services: {\n" });
    assert.match(
      block,
      /^error: the manifest cannot be read\n\nportico.ts:\d:\d+\n {2}received {2}[^\n]+\n {2}expected {2}a module that can be imported$/,
    );
  });
  test("load names the module that portico.ts cannot import", async (t) => {
    const block = await blockOf(t, { "portico.ts": 'import "./gone.ts";\nexport default {};\n' });
    assert.match(block, /received {2}.*gone\.ts/);
    assert.doesNotMatch(block, /\n {4}at /);
  });
  test("expand names the place in portico.ts by its path", async (t) => {
    assert.equal(
      await blockOf(t, {
        "portico.ts": "export default { services: { a: { plugin: 5, listen: 'tcp://*:0' } } };",
      }),
      "error: the manifest is wrong\n\nportico.ts  services.a.plugin\n  received  5\n  expected  a built-in plugin, a short name, ./path or an npm package",
    );
  });
});

/** The manifest of one service whose plugin is ./p.ts, or another. */
function withPlugin(plugin = "./p.ts", rest = ""): string {
  return `{ "services": { "s": {\n  "plugin": "${plugin}",\n  "listen": ["tcp://*:0"]${rest}\n} } }`;
}

const GOOD = `name: "p", transports: ["stream"], start: () => ({ data() {} })`;
const FLAWS: [string, string, string][] = [
  [
    "no default export",
    "export const a = 1;",
    "a default export: export default definePlugin({ name, transports, start })",
  ],
  [
    "a number as default export",
    "export default 5;",
    "export default definePlugin({ name, transports, start }); its default export is 5",
  ],
  [
    "another api",
    `export default { ${GOOD}, api: 2 };`,
    'a plugin of API 1, the one that this version speaks; it has "api": 2',
  ],
  [
    "no name",
    `export default { transports: ["stream"], start() {} };`,
    'a plugin with a "name" of letters, digits, - and _; it has nothing',
  ],
  [
    "an unknown transport",
    `export default { name: "p", transports: ["tcp"], start() {} };`,
    'a plugin whose "transports" is a list out of "stream", "datagram" and "http"; it has ["tcp"]',
  ],
  [
    "no start",
    `export default { name: "p", transports: ["stream"] };`,
    'a plugin whose "start" is a function; it has nothing',
  ],
  [
    "options that are no schema",
    `export default { ${GOOD}, options: { a: 1 } };`,
    'a plugin whose "options" is a Standard Schema (valibot, zod, arktype …); it has {"a":1}',
  ],
  [
    "a schema that throws",
    `export default { ${GOOD}, options: { "~standard": { validate() { throw new Error("oops"); } } } };`,
    "a plugin whose options schema works; it threw: oops",
  ],
];

describe("plugins", () => {
  test("resolvePlugin suggests the nearest name for one that it does not know", async (t) => {
    assert.equal(
      await blockOf(t, { "portico.json": withPlugin("ecoh") }),
      `error: the plugin cannot be found\n\nportico.json:2:13  services.s.plugin\n  received  "ecoh"\n  ${PLUGINS}\n  hint      did you mean "echo"?`,
    );
  });
  test("resolvePlugin suggests ./ for a file that lies there", async (t) => {
    const block = await blockOf(t, { "portico.json": withPlugin("p.ts"), "p.ts": "" });
    assert.match(block, /\n {2}hint {6}did you mean "\.\/p\.ts"\?$/);
  });
  test("resolvePlugin takes no module of the runtime for a package", async (t) => {
    const block = await blockOf(t, { "portico.json": withPlugin("fs") });
    assert.match(block, /^error: the plugin cannot be found\n/);
  });
  test("resolvePlugin names the path where nothing is", async (t) => {
    assert.equal(
      await blockOf(t, { "portico.json": withPlugin() }),
      'error: the plugin cannot be found\n\nportico.json:2:13  services.s.plugin\n  received  "./p.ts", and HOME/p.ts does not exist\n  expected  the path of a module, relative to the manifest',
    );
  });
  test("resolvePlugin says what a short name stands for", async (t) => {
    const text = withPlugin("own").replace("{", '{ "plugins": { "own": "./in" },');
    const block = await blockOf(t, { "portico.json": text, "in/x": "" });
    assert.match(block, /received {2}"own", short for "\.\/in", and HOME\/in is a folder\n/);
  });
  for (const [what, text, expected] of FLAWS) {
    test(`loadPlugin refuses ${what}`, async (t) => {
      assert.equal(
        await blockOf(t, { "portico.json": withPlugin(), "p.ts": text }),
        `error: the module is no plugin\n\nportico.json:2:13  services.s.plugin\n  received  "./p.ts"\n  expected  ${expected}`,
      );
    });
  }
  test("loadPlugin says where a plugin's module throws, without a stack", async (t) => {
    const block = await blockOf(t, {
      "portico.json": withPlugin(),
      "p.ts": '\n\nthrow new Error("no luck");',
    });
    assert.match(
      block,
      /expected {2}a module that can be imported\. It failed at HOME\/p\.ts:3:\d+: no luck$/,
    );
  });
  test("loadPlugin shows the message of a syntax error, without a stack", async (t) => {
    const block = await blockOf(t, { "portico.json": withPlugin(), "p.ts": "export default {\n" });
    assert.match(
      block,
      /expected {2}a module that can be imported\. It failed at HOME\/p\.ts:\d.*: .+$/,
    );
    assert.doesNotMatch(block, /\n {4}at /);
  });
  test("loadPlugin refuses a package that was written for another api", async (t) => {
    const block = await blockOf(t, {
      "portico.json": withPlugin("pkg"),
      "node_modules/pkg/package.json": '{ "exports": "./p.js", "portico": { "api": 2 } }',
      "node_modules/pkg/p.js": `export default { ${GOOD} };`,
    });
    assert.equal(
      block,
      'error: the module is no plugin\n\nportico.json:2:13  services.s.plugin\n  received  "pkg"\n  expected  "portico": { "api": 1 } in HOME/node_modules/pkg/package.json; it says 2',
    );
  });
  test("loadPlugin says who can import https:, where this runtime cannot", async (t) => {
    const block = await blockOf(t, { "portico.json": withPlugin("https://127.0.0.1:1/p.ts") });
    assert.match(
      block,
      /^error: the plugin cannot be found\n[^]*expected {2}a module that this runtime can fetch \(https: works on Deno; elsewhere install the package and name it\): /,
    );
  });
  test("checkOptions refuses options that the schema rejects, by their path", async (t) => {
    assert.equal(
      await blockOf(t, {
        "portico.json": withPlugin("./p.ts", ',\n  "options": { "a": [1, "x"] }'),
        "p.ts": `
const issues = [{ message: "a number is needed", path: ["a", { key: 1 }] }];
export default { ${GOOD}, options: { "~standard": { version: 1, vendor: "t", validate: () => ({ issues }) } } };`,
      }),
      'error: the plugin rejects its options\n\nportico.json:4:25  services.s.options.a[1]\n  received  "x"\n  expected  a number is needed',
    );
  });
  test("checkOptions refuses options of a plugin that takes none", async (t) => {
    assert.equal(
      await blockOf(t, {
        "portico.json": withPlugin("./p.ts", ',\n  "options": { "a": 1 }'),
        "p.ts": `export default { ${GOOD} };`,
      }),
      'error: the plugin rejects its options\n\nportico.json:4:14  services.s.options\n  received  {"a":1}\n  expected  no options: the plugin p takes none',
    );
  });
  test("prepare refuses an endpoint that the plugin does not serve", async (t) => {
    assert.equal(
      await blockOf(t, {
        "portico.json": withPlugin().replace('"tcp://*:0"', '"tcp://*:0", "udp://*:0"'),
        "p.ts": `export default { ${GOOD} };`,
      }),
      'error: the manifest is wrong\n\nportico.json:3:27  services.s.listen[1]\n  received  "udp://*:0", a datagram endpoint\n  expected  a stream endpoint: the plugin p serves no other',
    );
  });
  test("prepare tells of all plugins that are wrong", async (t) => {
    const block = await blockOf(t, {
      "portico.json": `{ "services": {
  "a": { "plugin": "./a.ts", "listen": "tcp://*:0" },
  "b": { "plugin": "./b.ts", "listen": "tcp://*:0" } } }`,
      "a.ts": "export default 1;",
      "b.ts": "export default 2;",
    });
    assert.match(block, /^error: the module is no plugin \(2 problems\)\n/);
    assert.match(block, /portico\.json:2:20 [^]*portico\.json:3:20 /);
  });
});
