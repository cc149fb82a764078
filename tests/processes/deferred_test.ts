/** A socket whose service has the kernel wait for a header, and the next service of it, which speaks first. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { lackingFeature } from "../support/adapter.ts";
import { ManagedServer, TCP } from "../support/managed-server.ts";
import { lackingStrategy } from "../support/strategies.ts";
import { within } from "../support/until.ts";

for (const strategy of ["async", "processes"] as const) {
  test(
    `whoever connects after a reload that takes proxyProtocol away is greeted at once: ${strategy}`,
    {
      skip: lackingFeature("descriptors") || lackingStrategy("processes"),
    },
    async (t) => {
      const before = { plugin: "daytime", listen: TCP, concurrency: "processes" };
      const proxyProtocol = { from: ["127.0.0.1"], wait: "120s" };
      const server = await ManagedServer.start(t, { s: { ...before, proxyProtocol } });
      const endpoint = await server.endpoint("s", "tcp");
      server.write({ s: { ...before, concurrency: strategy } });
      await server.reload();
      assert.equal(await server.endpoint("s", "tcp"), endpoint, "it is the same socket");
      const socket = connect(Number(/\d+$/.exec(endpoint)![0]), "127.0.0.1");
      t.after(() => void socket.destroy());
      const said = new Promise((heard) => socket.once("data", heard));
      // Deferred, it would be said after a minute.
      assert.match(String(await within("the time", said)), /\d\d:\d\d:\d\d/);
    },
  );
}
