/** `match` in a manifest: what it comes to, and what is wrong with it. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import type { MatchRoute } from "../../runtime/core/prologue/match-plan.ts";
import { ManifestError } from "../../runtime/values/problem.ts";
import { load } from "../../runtime/manifest/load.ts";
import { folder } from "../support/folder.ts";
import { expand, prepare } from "../support/manifest.ts";

const LISTEN = "tcp://127.0.0.1:7001";
const TLS = { cert: "./a.pem", key: "./a.key" };
const OTHERS = {
  a: { plugin: "echo", listen: "unix:./a.sock" },
  b: { plugin: "echo", listen: "unix:./b.sock", tls: TLS },
  c: { plugin: "echo", listen: "tcp://127.0.0.1:7002" },
};

interface More {
  readonly front?: object;
  readonly others?: object;
  readonly files?: Record<string, string>;
}

async function planOf(t: TestContext, match: unknown, { front, others, files }: More = {}) {
  const services = { front: { listen: LISTEN, match, ...front }, ...OTHERS, ...others };
  const home = folder(t, { "portico.json": JSON.stringify({ services }), ...files });
  const source = await load(home);
  return await prepare(expand(source), source);
}

async function routesOf(
  t: TestContext,
  match: unknown,
  more?: More,
): Promise<readonly MatchRoute[]> {
  return (await planOf(t, match, more))[0]!.plan.match!.routes;
}

/** What is wrong: its place in `match`, and the two lines that are told of it. */
async function wrong(
  t: TestContext,
  match: unknown,
  more?: More,
): Promise<(readonly [string, string, string])[]> {
  try {
    await planOf(t, match, more);
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    return error.problems.map(({ path, received, expected }) =>
      [path.join("."), received, expected] as const
    );
  }
  return assert.fail("nothing is wrong");
}

/** Conditions, in this order, each to `a`. */
const to = (...conditions: readonly unknown[]): object[] =>
  conditions.map((when) => ({ when, service: "a" }));

describe("match", () => {
  test("routes have words, bytes and services; those need not listen, whatever else they have", async (t) => {
    const routes = await routesOf(t, [
      ...to("ssh", { prefix: ["HELO", "é"] }, { hex: "16 03\t0 1 ".replace("0 1", "01") }),
      { when: { tls: { sni: "*.Example.org", alpn: ["h2"] } }, service: "b" },
      { when: "tls", service: "a" },
      { when: "http", service: "d" },
      { otherwise: "c" },
    ], { others: { d: { plugin: "echo" } } });
    assert.deepEqual(routes.map(({ text, service, tls }) => [text, service, tls]), [
      ["ssh", "a", false],
      ['prefix "HELO",0xc3a9', "a", false],
      ["prefix 0x160301", "a", false],
      ["tls sni=*.example.org alpn=h2", "b", true],
      ["tls", "a", false],
      ["http", "d", false],
      ["otherwise", "c", false],
    ]);
  });

  test("a time of one's own, and 3 s when silent; a module that exports match", async (t) => {
    const [silent] = await planOf(t, to("ssh"));
    assert.equal(silent!.plan.match!.wait, 3000);
    const files = { "m.ts": "export function match(bytes) { return bytes[0] === 1; }" };
    const match = { wait: "1s", routes: to({ plugin: "./m.ts" }) };
    const [own] = await planOf(t, match, { files });
    assert.equal(own!.plan.match!.wait, 1000);
    const [matches] = own!.matchers!.values();
    assert.equal(matches!(Uint8Array.of(1)), true);
  });

  test("TLS is never ended, nor passed on, by accident", async (t) => {
    assert.deepEqual(await wrong(t, [{ otherwise: "b" }]), [[
      "services.front.match.0",
      'a route to "b", which has "tls", of those who may speak anything',
      '"tls": true in the route: it speaks TLS with them from the first byte on; or false: in clear, as for STARTTLS',
    ]]);
    const [[place, received] = ["", ""]] = await wrong(t, [
      { when: "tls", service: "a", tls: true },
    ]);
    assert.deepEqual([place, received], [
      "services.front.match.0.tls",
      'true, and the service "a" has no "tls"',
    ]);
    const said = [{ when: "tls", service: "b", tls: false }, { otherwise: "b", tls: true }];
    assert.deepEqual((await routesOf(t, said)).map(({ tls }) => tls), [false, true]);
  });

  const SHADOWS: readonly (readonly [readonly unknown[], string | undefined])[] = [
    [["tls", { tls: { sni: "a.example" } }], "tls"],
    [[{ tls: { sni: "*.example" } }, { tls: { sni: "A.example" } }], "tls sni=*.example"],
    [[{ tls: { sni: "*.example" } }, { tls: { sni: "a.b.example" } }], undefined],
    [[{ tls: { sni: "*.example" } }, { tls: { sni: ["a.example", "b.test"] } }], undefined],
    [
      [{ tls: { sni: "a.b" } }, { tls: { sni: "c.d" } }, { tls: { sni: ["c.d", "a.b"] } }],
      "tls sni=c.d and tls sni=a.b",
    ],
    [[{ tls: { sni: "a.example" } }, { tls: { sni: "*.example" } }], undefined],
    [[{ tls: { alpn: "h2" } }, { tls: { sni: "a", alpn: "h2" } }], "tls alpn=h2"],
    [[{ tls: { alpn: "h2" } }, { tls: { sni: "a" } }], undefined],
    [[{ tls: { sni: "a", alpn: "h2" } }, { tls: { sni: "a" } }], undefined],
    [[{ hex: "16" }, "tls"], "prefix 0x16"],
    [[{ prefix: "SS" }, "ssh"], 'prefix "SS"'],
    [["ssh", { prefix: "SSH-2" }], "ssh"],
    [["ssh", { prefix: "SSH" }], undefined],
    [["http", { prefix: "GET /x" }], "http"],
    [["http", { prefix: "GET" }], undefined],
    [[{ prefix: "A" }, { prefix: ["AB", "B"] }], undefined],
    [[{ prefix: "A" }, { prefix: ["AB", "AC"] }], 'prefix "A"'],
    [["http", "http"], "http"],
  ];
  for (const [conditions, by] of SHADOWS) {
    test(`${JSON.stringify(conditions)}: the last one is ${by === undefined ? "reached" : "never reached"}`, async (t) => {
      const match = to(...conditions);
      if (by === undefined) return void await routesOf(t, match);
      const [[place, , expected] = ["", "", ""]] = await wrong(t, match);
      assert.equal(place, `services.front.match.${conditions.length - 1}`);
      assert.ok(expected.startsWith(`it before ${by}, or nowhere`), expected);
    });
  }

  test("nothing comes after otherwise", async (t) => {
    const [[place] = [""]] = await wrong(t, [{ otherwise: "a" }, ...to("ssh")]);
    assert.equal(place, "services.front.match.1");
  });

  const WRONGS: readonly (readonly [
    what: string,
    match: unknown,
    more: More,
    place: string,
    received: RegExp,
  ])[] = [
    ["an unknown service", [{ otherwise: "bb" }], {}, "match.0.otherwise", /^"bb"$/],
    ["itself", [{ otherwise: "front" }], {}, "match.0.otherwise", /which has "match" itself/],
    ["a route without a service", [{ when: { tls: { alpn: "h2" } } }], {}, "match.0", /^"when"$/],
    ["a service without a condition", [{ service: "a" }], {}, "match.0", /^"service"$/],
    [
      "two conditions",
      to({ prefix: "a", hex: "61" }),
      {},
      "match.0.when",
      /^"prefix" and "hex"$/,
    ],
    ["an unknown word", to("smtp"), {}, "match.0.when", /^"smtp"$/],
    ["bytes that are none", to({ hex: "1" }), {}, "match.0.when.hex", /^"1"$/],
    [
      "a name with a star inside",
      to({ tls: { sni: "a.*.b" } }),
      {},
      "match.0.when.tls.sni",
      /a\.\*\.b/,
    ],
    ["no routes", [], {}, "match", /list of 0|\[\]|an empty/],
    [
      "a plugin beside it",
      to("ssh"),
      { front: { plugin: "echo" } },
      "plugin",
      /^"match" and "plugin"$/,
    ],
    [
      "a strategy",
      to("ssh"),
      { front: { concurrency: "threads" } },
      "concurrency",
      /"concurrency"/,
    ],
    ["datagrams", to("ssh"), { front: { listen: "udp://127.0.0.1:7001" } }, "listen", /udp/],
    ["HTTP", to("ssh"), { front: { listen: "http://127.0.0.1:7001" } }, "listen", /http/],
    [
      "TLS of its own",
      to("ssh"),
      { front: { listen: "tls://127.0.0.1:7001", tls: TLS } },
      "listen",
      /tls:/,
    ],
    [
      "a module that is not there",
      to({ plugin: "./none.ts" }),
      {},
      "match.0.when.plugin",
      /none\.ts/,
    ],
    [
      "a module without match",
      to({ plugin: "./m.ts" }),
      { files: { "m.ts": "export const matches = 1;" } },
      "match.0.when.plugin",
      /m\.ts/,
    ],
    [
      "a target behind a balancer of its own",
      to("ssh"),
      { others: { a: { plugin: "echo", proxyProtocol: { from: ["10.0.0.1"] } } } },
      "match.0.service",
      /proxyProtocol/,
    ],
  ];
  for (const [what, match, more, place, received] of WRONGS) {
    test(`refuses ${what}`, async (t) => {
      const problems = await wrong(t, match, more);
      const found = problems.find(([path]) => path === `services.front.${place}`);
      assert.ok(found !== undefined, JSON.stringify(problems));
      assert.match(found[1], received);
    });
  }

  test("refuses a match of another service, and one that serves no streams", async (t) => {
    const second = { listen: "tcp://127.0.0.1:7003", match: to("ssh") };
    const chain = await wrong(t, [{ otherwise: "second" }], { others: { second } });
    assert.match(chain[0]![1], /^"second", which has "match" itself$/);
    const files = {
      "d.ts":
        `export default { name: "d", transports: ["datagram"], start: () => ({ data() {} }) };`,
    };
    const others = { d: { plugin: "./d.ts" } };
    const [[place, received] = ["", ""]] = await wrong(t, [{ otherwise: "d" }], { others, files });
    assert.deepEqual([place, received], [
      "services.d.plugin",
      '"d", which "match" of another service leads to',
    ]);
  });

  test("a service that nobody leads to has to listen, and one without match has a plugin", async (t) => {
    const problems = await wrong(t, to("ssh"), {
      others: { d: { plugin: "echo" }, e: { listen: "unix:./e" } },
    });
    assert.deepEqual(problems.map(([path, received]) => [path, received]), [
      ["services.d", 'no "listen"'],
      ["services.e", 'no "plugin"'],
    ]);
  });
});
