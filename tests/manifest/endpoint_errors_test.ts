/** Manifests whose endpoints are wrong, and the variables in them. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { blockOf, refuses, service, type WrongManifest } from "./errors.ts";

const LONG = "x".repeat(120);

const WRONG: readonly WrongManifest[] = [
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
    "a range in which a port is taken",
    service("", `"listen": ["tcp://*:9001", "tcp://*:9000-9002"]`),
    `3:30  services.echo.listen[1]\n  received  "tcp://*:9001" a second time\n  expected  each endpoint once: services.echo has it already (3:14)`,
  ],
  [
    "a range that is none",
    service("", `"listen": "tcp://*:9002-9000"`),
    `3:13  services.echo.listen\n  received  "tcp://*:9002-9000"\n  expected  a range of ports has two of 1 to 65535, the lower one first, and at most 1024 ports`,
  ],
  [
    "TLS on a port that TCP has",
    service("", `"listen": ["tcp://*:7", { "endpoint": "tls://*:7", "tls": "self-signed" }]`),
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

describe("endpoints of a manifest", () => {
  refuses("expand", "the manifest is wrong", WRONG);
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
});
