/** What `portico check` says of TLS, and of what leads to services with it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { adapter } from "./support/adapter.ts";
import { certificates } from "./support/certificates.ts";
import { portico } from "./support/command.ts";
import { folder } from "./support/folder.ts";
import type { Scope } from "./support/scope.ts";

const made = certificates();
const pair = (name: "server" | "a" | "b" | "wildcard"): { cert: string; key: string } => ({
  cert: made.file(name),
  key: made.file(name, "key"),
});
const SECURE = "tls://127.0.0.1:0";

interface Finding {
  readonly what: string;
  readonly note?: string;
}

/** The notes of each service about what begins so. */
async function notes(
  t: Scope,
  services: object,
  what: string,
  top: object = {},
): Promise<Record<string, string[]>> {
  const home = folder(t, { "portico.json": JSON.stringify({ services, ...top }) });
  const { out, err } = await portico("check", home, "--json");
  assert.equal(err, "");
  const found = JSON.parse(out).services as { service: string; findings: Finding[] }[];
  return Object.fromEntries(
    found.map(({ service, findings }) => [
      service,
      findings.filter((each) => each.what.startsWith(what)).map(({ note }) => note ?? ""),
    ]),
  );
}

describe("portico check and TLS", () => {
  test("a runtime that takes no tickets of the key before says so where a time is named", async (t) => {
    const echo = { plugin: "echo", listen: SECURE };
    const { named, silent, never } = await notes(t, {
      named: { ...echo, tls: { ...pair("a"), sessionTickets: "1h" } },
      silent: { ...echo, tls: pair("a") },
      never: { ...echo, tls: { ...pair("a"), sessionTickets: false } },
    }, "tls.sessionTickets");
    const about = (texts: string[] = []): number =>
      texts.filter((text) => text.includes("takes no ticket of the key before")).length;
    const due = adapter.features.tls?.formerTickets === true ? 0 : 1;
    assert.deepEqual([about(named), about(silent), about(never)], [due, 0, 0]);
  });

  test("a route to whom the service has no ALPN, or no certificate, is told of", async (t) => {
    const route = (tls: object, service = "web") => ({ when: { tls }, service });
    const cases: readonly (readonly [string, object, string?])[] = [
      [
        "match tls alpn=smtp",
        route({ alpn: "smtp" }),
        'the service web offers h2: who wishes smtp alone is refused; say smtp in "alpn" of its "tls", or lead them elsewhere',
      ],
      [
        "match tls alpn=h2,smtp",
        route({ alpn: ["h2", "smtp"] }),
        'the service web offers h2: who wishes smtp alone is refused; say smtp in "alpn" of its "tls", or lead them elsewhere',
      ],
      [
        "match tls alpn=h2",
        route({ alpn: "h2" }, "plain"),
        'the service plain has no "alpn": whoever wishes h2 is served as one without; say h2 in "alpn" of its "tls", or lead them elsewhere',
      ],
      [
        "match tls sni=b.example,x.w.example",
        route({ sni: ["b.example", "x.w.example"] }),
        'the service web has no certificate for b.example: clients are shown that of *.w.example, and refuse it; put one into its "tls", or lead them elsewhere',
      ],
      [
        "match tls sni=*.example",
        route({ sni: "*.example" }),
        'the service web has no certificate for *.example: clients are shown that of *.w.example, and refuse it; put one into its "tls", or lead them elsewhere',
      ],
      ["match tls alpn=h2", route({ alpn: "h2" })],
      ["match tls sni=*.w.example", route({ sni: "*.w.example" })],
      ["match tls sni=*.example", route({ sni: "*.example" }, "plain")],
      ["match tls sni=c.example alpn=x", route({ sni: "c.example", alpn: "x" }, "passed")],
    ];
    const fronts = Object.fromEntries(cases.map(([, match], index) => [
      `front${index}`,
      { listen: "tcp://127.0.0.1:0", match: [match, { otherwise: "passed" }] },
    ]));
    const told = await notes(t, {
      ...fronts,
      web: { plugin: "echo", tls: { ...pair("wildcard"), alpn: ["h2"] } },
      plain: { plugin: "echo", tls: pair("a") },
      passed: { plugin: "echo" },
    }, "match ");
    for (const [index, [what, , due]] of cases.entries()) {
      assert.deepEqual(told[`front${index}`], due === undefined ? [] : [due], what);
    }
  });

  test("defaults are no reason to speak of TLS for services that have none", async (t) => {
    const home = folder(t, {
      "portico.json": JSON.stringify({
        defaults: { tls: pair("a") },
        services: {
          plain: { plugin: "echo", listen: ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"] },
          secure: { plugin: "echo", listen: SECURE },
          later: { plugin: "echo", listen: "tcp://127.0.0.1:0", tls: pair("b") },
        },
      }),
    });
    const { out } = await portico("check", home);
    const lines = (name: string): string[] =>
      out.split("\n").map((line) => line.split(/ {2,}/)).filter((line) => line[1] === name)
        .map((line) => line[3]!);
    assert.deepEqual(lines("plain"), [
      "strategy async",
      "sink console",
      "tcp://127.0.0.1:0",
      "udp://127.0.0.1:0",
    ]);
    assert.ok(lines("secure").includes("certificate of a.example"));
    assert.ok(lines("later").includes("certificate of b.example"));
    assert.match(out, /later .*no endpoint begins with it/);
  });

  test("defaults that cannot be read are told of for everybody: nobody starts with them", async (t) => {
    const home = folder(t, {
      "portico.json": JSON.stringify({
        defaults: { tls: { cert: "no.crt", key: "no.key" } },
        services: { plain: { plugin: "echo", listen: "tcp://127.0.0.1:0" } },
      }),
    });
    const { code, out } = await portico("check", home);
    assert.equal(code, 2);
    assert.match(out, /no +plain .*no\.crt: no such file/);
  });
});
