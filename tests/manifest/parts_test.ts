/** What only some manifests speak of is loaded for those, and for no other. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { expand } from "../../runtime/manifest/expand.ts";
import { sourceOf } from "../../runtime/manifest/load.ts";
import { MATCH, partsOf, TLS } from "../../runtime/manifest/parts.ts";
import { ManifestError } from "../../runtime/values/problem.ts";
import { sinkCatalog } from "../../runtime/sinks/mod.ts";

const plain = { plugin: "echo", listen: "tcp://127.0.0.1:7" };
const pair = { cert: "./a.crt", key: "./a.key" };
const service = (more: object) => ({
  services: { plain, other: { plugin: "echo", listen: "tcp://127.0.0.1:6", ...more } },
});

/** Checks one as a server does that has loaded nothing beside. */
async function check(manifest: unknown): Promise<unknown> {
  const source = await sourceOf(manifest, "/srv/portico.ts", () => undefined);
  return expand(source, sinkCatalog);
}

describe("the parts of a manifest", () => {
  test("are loaded for nobody who does not speak of them", async () => {
    const manifests = [
      service({}),
      service({ listen: ["tcp://127.0.0.1:7", { endpoint: "unix:./a.sock" }] }),
      service({ options: { tls: true, match: 1 } }),
      { services: undefined },
      { services: [null, 5, "tls"] },
      undefined,
      null,
      "tls",
    ];
    for (const manifest of manifests) assert.deepEqual(partsOf(manifest), []);
    // Under Bun other files of tests may have loaded them before, in this process.
    const before = [TLS.loaded, MATCH.loaded];
    await check(service({ listen: "tcp://127.0.0.1:8" }));
    const after = [TLS.loaded, MATCH.loaded];
    after.forEach((modules, at) => assert.ok(modules === before[at]));
  });

  test("that are about TLS are known wherever it is spoken of", () => {
    const manifests = [
      service({ tls: pair }),
      service({ tls: null }),
      service({ listen: "tls://127.0.0.1:7" }),
      service({ listen: "TLS://127.0.0.1:7" }),
      service({ listen: ["tcp://127.0.0.1:7", "https://127.0.0.1:8"] }),
      service({ listen: { endpoint: "tls://127.0.0.1:7" } }),
      service({ listen: [{ endpoint: "tcp://127.0.0.1:7", tls: true }] }),
      { ...service({}), defaults: { tls: "self-signed" } },
      { services: [{ tls: 1 }] },
    ];
    for (const manifest of manifests) assert.deepEqual(partsOf(manifest), [TLS]);
  });

  test("are there when the manifest is checked, be it right or wrong", async () => {
    const wrong = [
      [service({ tls: 5 }), /"services","other","tls"/],
      [service({ match: 5 }), /"services","other","match"/],
      [
        { services: { a: { listen: "tls://127.0.0.1:7", plugin: "echo" } } },
        /without a certificate/,
      ],
    ] as const;
    for (const [manifest, told] of wrong) {
      await assert.rejects(check(manifest), (error) => {
        assert.ok(error instanceof ManifestError);
        assert.match(error.problems.map((each) => JSON.stringify(each)).join(), told);
        return true;
      });
    }
    const match = [{ when: "ssh", service: "plain" }, { otherwise: "plain" }];
    assert.deepEqual(
      partsOf({ services: { plain, front: { match, listen: "tcp://127.0.0.1:9" } } }),
      [
        MATCH,
      ],
    );
    await check({ services: { plain, front: { match, listen: "tcp://127.0.0.1:9" } } });
    await check(service({ listen: "tls://127.0.0.1:9", tls: pair }));
  });
});
