/** Manifests whose sinks are wrong. */
import { describe } from "node:test";
import { EVENTS } from "../../runtime/core/record.ts";
import { POLICIES, refuses, service, SINKS, type WrongManifest } from "./errors.ts";

const WRONG: readonly WrongManifest[] = [
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
];

describe("sinks of a manifest", () => {
  refuses("expand", "the manifest is wrong", WRONG);
});
