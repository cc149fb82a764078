/** The line to try a service with: it works as it is printed, and is printed on a terminal alone. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Address, type Transport } from "../../runtime/core/endpoint.ts";
import { tryCommand } from "../../runtime/daemon/try-line.ts";
import { lackingTransport } from "../support/adapter.ts";
import { folder } from "../support/folder.ts";
import { lackingPrograms } from "../support/packages.ts";
import { shell } from "../support/program.ts";
import { manifest } from "../support/server-process.ts";
import { porticoOnTerminal, screen } from "../support/terminal.ts";

const COMMANDS: readonly (readonly [Transport, string, number, string, string | undefined])[] = [
  ["tcp", "127.0.0.1", 7007, "", "printf hello | nc -q1 127.0.0.1 7007"],
  ["tcp", "::", 7007, "", "printf hello | nc -q1 127.0.0.1 7007"],
  ["tcp", "::1", 7007, "", "printf hello | nc -q1 ::1 7007"],
  ["udp", "0.0.0.0", 53, "", "printf hello | nc -u -w1 127.0.0.1 53"],
  ["http", "::1", 80, "", "curl http://[::1]:80/"],
  ["https", "192.0.2.1", 443, "", "curl -k https://192.0.2.1:443/"],
  [
    "tls",
    "127.0.0.1",
    853,
    "",
    "printf hello | openssl s_client -quiet -connect 127.0.0.1:853",
  ],
  ["unix", "", 0, "/run/it's here", `printf hello | nc -U -q1 '/run/it'\\''s here'`],
  ["unix", "", 0, "@echo", "printf hello | socat -t1 - ABSTRACT-CONNECT:echo"],
  [
    "unixgram",
    "",
    0,
    "/run/s",
    "printf hello | socat -t1 - UNIX-SENDTO:/run/s,bind=/tmp/portico-try.sock",
  ],
  ["http+unix", "", 0, "/run/s", "curl --unix-socket /run/s http://localhost/"],
  ["unix", "", 0, "", undefined],
];

test("tryCommand has one for each transport", () => {
  for (const [transport, host, port, path, expected] of COMMANDS) {
    assert.equal(tryCommand(new Address(transport, host, port, path)), expected);
  }
});

describe(
  "the line to try a service with",
  { skip: lackingPrograms("script", "nc", "socat") },
  () => {
    for (const listen of ["tcp://*:0", "udp://127.0.0.1:0", "unix:./s", "unixgram:./d"]) {
      test(`works as it stands: ${listen}`, {
        skip: lackingTransport(listen.split(":")[0] as Transport),
      }, async (t) => {
        const services = { s: { plugin: "echo", listen, log: "console" } };
        const home = folder(t, { "portico.json": manifest(services) });
        const terminal = porticoOnTerminal(t, home, "run", home);
        await terminal.when("a line to try", () => /ready\ntry: .*\n/.test(screen(terminal)));
        const [, line] = /\ntry: (.*)\n/.exec(screen(terminal))!;
        assert.equal(await shell(t, join(home), line!), "hello");
        terminal.send("\x03");
        await terminal.ended();
        assert.equal(screen(terminal).split("try: ").length, 2);
      });
    }

    test("is not there with --json", async (t) => {
      const home = folder(t, {
        "portico.json": JSON.stringify({ services: { s: { plugin: "echo", listen: "unix:./s" } } }),
      });
      const terminal = porticoOnTerminal(t, home, "run", home, "--json");
      await terminal.when("ready", () => /"event":"ready"/.test(terminal.text));
      terminal.send("\x03");
      await terminal.ended();
      assert.doesNotMatch(terminal.text, /try: /);
    });
  },
);
