/** `serve`, on every adapter that has it: the rules of `contract.ts` for HTTP listeners. */
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { loadAdapter } from "../../adapters/mod.ts";
import { makeAdapter } from "../../adapters/node/mod.ts";
import type { PausableListener } from "../../adapters/posix/descriptor-limit.ts";
import type { BindableEndpoint } from "../../runtime/core/contract.ts";
import type { Inherited } from "../../runtime/core/descriptors.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import { folder } from "../support/folder.ts";
import { until, within } from "../support/until.ts";
import { dial, open } from "./http-desk.ts";

const own = await loadAdapter();
const all = new Map([own, makeAdapter()].map((adapter) => [adapter.name, adapter]));

for (const [name, adapter] of all) {
  for (const transport of ["http", "https", "http+unix"] as const) {
    const place = (t: TestContext): BindableEndpoint =>
      transport === "http+unix"
        ? { transport, path: join(folder(t, {}), "http.sock") }
        : { transport, host: "127.0.0.1", port: 0 };
    const duplicates = adapter.features.descriptors;

    describe(`${name} adapter, ${transport}`, () => {
      test("a request is answered, by a listener that says where it is", async (t) => {
        const desk = await open(t, adapter, place(t));
        const { address } = desk.listener;
        assert.equal(address.transport, transport);
        const client = await dial(t, address);
        client.ask("/one");
        await client.hears("you asked for /one");
        client.ask("/two");
        await client.hears("you asked for /two");
        client.ask("/body", "what was posted");
        await client.hears("what was posted");
        await until("three ends", () => desk.closed.length === 3);
        assert.deepEqual(desk.closed.map(({ gone }) => gone), [false, false, false]);
        assert.deepEqual(desk.locals, Array(3).fill(String(address)));
        for (const remote of desk.remotes) {
          assert.match(
            remote,
            transport === "http+unix" ? /^unix:$/ : /^tcp:\/\/127\.0\.0\.1:\d+$/,
          );
        }
        assert.deepEqual(desk.failures, []);
      });

      test("Host may be missing from HTTP/1.0; one that is none is refused, and not told of", async (t) => {
        const desk = await open(t, adapter, place(t));
        const old = await dial(t, desk.listener.address);
        old.say("GET /old?a=b HTTP/1.0\r\n\r\n");
        await old.hears("you asked for /old");
        const bad = ["a/b?c", "a b", "a@b", "a\\b", "a#b", "a|b", "a<b", "%", "a%4"];
        const badPorts = ["example.com:65536", "example.com:80:80", "a:b", "a:-1", "[::1]:99999"];
        const badAddresses = ["[::1", "[zz]", "[1:2]", "[::1]a", "::1", "256.1.1.1", "1.2.3.4.5"];
        for (const host of [...bad, ...badPorts, ...badAddresses]) {
          const client = await dial(t, desk.listener.address);
          client.say(`GET /one HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
          await client.hears("HTTP/1.1 400");
        }
        for (const url of ["http://other:65536/x", "http://[::1/x"]) {
          const client = await dial(t, desk.listener.address);
          client.say(`GET ${url} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
          await client.hears("HTTP/1.1 ");
        }
        for (const host of ["localhost", "[::1]:80", "a-b.example:8080", "127.0.0.1", ""]) {
          const client = await dial(t, desk.listener.address);
          client.say(`GET /two HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
          await client.hears("you asked for /two");
        }
        const ends = (path: string): number =>
          desk.closed.filter((closed) => closed.path === path).length;
        await until("six ends", () => ends("/old") === 1 && ends("/two") === 5);
        assert.deepEqual(desk.failures, []);
      });

      test("a Host that has a part of the path in it is refused, whoever has asked for the same URL before", async (t) => {
        const desk = await open(t, adapter, place(t));
        const client = await dial(t, desk.listener.address);
        for (const path of ["/", "/a", "/a/b", "/a?b=/c"]) {
          client.say(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
          await client.hears(`you asked for ${path.replace(/\?.*/, "")}`);
        }
        const asked: [host: string, path: string][] = [
          ["localhost/a", "/b"],
          ["localhost/a?b=", "/c"],
          ["localhost/", "/"],
          ["localhost?", "/"],
          ["localhost#", "/a"],
          ["a b", "http://localhost/a"],
        ];
        for (const [host, path] of asked) {
          const other = await dial(t, desk.listener.address);
          other.say(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
          await other.hears("HTTP/1.1 400");
        }
      });

      test("a peer that leaves before the answer is told of, once", async (t) => {
        const desk = await open(t, adapter, place(t));
        const client = await dial(t, desk.listener.address);
        client.ask("/wait");
        await until("the request", () => desk.waiting === 1);
        client.leave();
        await until("the end", () => desk.closed.length === 1);
        desk.letGo();
        await new Promise((resolve) => setTimeout(resolve, 20));
        assert.equal(desk.closed.length, 1);
      });

      test("after close what is under way is answered, idle connections are closed", async (t) => {
        const desk = await open(t, adapter, place(t));
        const { address } = desk.listener;
        const idle = await dial(t, address);
        idle.ask("/idle");
        await idle.hears("you asked for /idle");
        const busy = await dial(t, address);
        busy.ask("/wait");
        await until("the request", () => desk.waiting === 1);
        await desk.listener.close();
        await until("the end of the idle one", () => idle.gone);
        assert.equal(busy.gone, false);
        desk.letGo();
        await busy.hears("let go");
        await until("the end of the busy one", () => busy.gone);
        await within("over", desk.listener.over);
        if (address.path !== "") assert.equal(existsSync(address.path), false);
        await assert.rejects(dial(t, address));
      });

      test("abort cuts, or at least does not wait", async (t) => {
        const desk = await open(t, adapter, place(t));
        const client = await dial(t, desk.listener.address);
        client.ask("/wait");
        await until("the request", () => desk.waiting === 1);
        await desk.listener.close();
        desk.listener.abort();
        await within("over", desk.listener.over);
        desk.letGo();
        await until("the end", () => client.gone);
      });

      test("an address in use is refused by name", async (t) => {
        const desk = await open(t, adapter, place(t));
        const { host, port, path } = desk.listener.address;
        const again = transport === "http+unix" ? { transport, path } : { transport, host, port };
        await assert.rejects(open(t, adapter, again), (error: PorticoError) => {
          assert.equal(error.code, "EADDRINUSE");
          assert.ok(error.message.includes(transport), error.message);
          return true;
        });
        const client = await dial(t, desk.listener.address);
        client.ask("/still");
        await client.hears("you asked for /still");
      });

      test("whoever is handed the socket serves those who wait in its queue", {
        skip: duplicates === true ? false : duplicates.reason,
      }, async (t) => {
        const first = await open(t, adapter, place(t));
        const { address } = first.listener;
        const inherited = async (): Promise<Inherited> => ({
          transport,
          fd: await (first.listener.duplicate()),
          address,
          owned: true,
        });
        const kept = await inherited();
        await first.listener.close(true);
        const early = await dial(t, address);
        early.ask("/early");
        const second = await open(t, adapter, kept);
        await early.hears("you asked for /early");
        assert.equal(String(second.listener.address), String(address));
        // And on, from one that was handed the socket itself.
        const fd = await second.listener.duplicate();
        await second.listener.close(true);
        const third = await open(t, adapter, { ...kept, fd });
        const late = await dial(t, address);
        late.ask("/late");
        await late.hears("you asked for /late");
        assert.equal(third.closed.length, 1);
        await third.listener.close();
        if (address.path !== "") assert.equal(existsSync(address.path), false);
      });

      test("accepting can pause from the first turn on, where no connection is shown", async (t) => {
        const desk = await open(t, adapter, place(t));
        const pausable = desk.listener as unknown as PausableListener;
        // Others pause by the numbers of what they accept, or need another descriptor for it.
        const { closesToPause, prepareToPause } = pausable;
        if (closesToPause || prepareToPause === undefined || duplicates !== true) return;
        pausable.pauseAccepting(-1);
        const early = await dial(t, desk.listener.address);
        early.ask("/early");
        const other = await dial(t, (await open(t, adapter, place(t))).listener.address);
        for (const path of ["/one", "/two", "/three"]) {
          other.ask(path);
          await other.hears(`you asked for ${path}`);
        }
        assert.equal(early.text, "");
        pausable.resumeAccepting();
        await early.hears("you asked for /early");
        assert.deepEqual(desk.failures, []);
      });

      if (transport === "http+unix") {
        test("mode is applied", async (t) => {
          for (const mode of [0o600, 0o660]) {
            const desk = await open(t, adapter, place(t), { mode });
            assert.equal(statSync(desk.listener.address.path).mode & 0o777, mode);
          }
        });
      } else {
        test("several listeners share a port with reusePort", {
          skip: adapter.features.options.reusePort[transport] === true
            ? false
            : "it is not offered",
        }, async (t) => {
          const options = { reusePort: true };
          const first = await open(t, adapter, place(t), options);
          const { host, port } = first.listener.address;
          await open(t, adapter, { transport, host, port }, options);
        });
      }
    });
  }
}
