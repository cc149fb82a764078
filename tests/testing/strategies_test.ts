import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { definePlugin } from "portico";
import { open } from "portico/testing";
import { within } from "../support/until.ts";

/** Tells who it is: how often it was started, and as which worker. */
function telling() {
  const starts: (number | undefined)[] = [];
  const stops: (number | undefined)[] = [];
  const plugin = definePlugin({
    name: "telling",
    transports: ["stream", "datagram"],
    start: ({ worker, scope }) => {
      starts.push(worker);
      let count = 0;
      return {
        data: (session) => void session.write(`${scope} ${worker} ${++count}\n`),
        stop: () => void stops.push(worker),
      };
    },
  });
  return { plugin, starts, stops };
}

describe("strategies in memory", () => {
  for (const strategy of ["serial", "async", "threads", "processes", "spawn"] as const) {
    for (const form of ["echoes", "never comes back"]) {
      test(`${strategy}: a stop without time comes back while a peer is there that ${form}`, async () => {
        const never = new Promise<void>(() => {});
        const plugin = definePlugin({
          name: "stopped",
          transports: ["stream"],
          start: () => ({
            data: (session, chunk) => {
              session.write(chunk);
              if (form !== "echoes") return never;
            },
          }),
        });
        await using service = await open(plugin, { strategy });
        const peer = service.connect();
        peer.send("x");
        await peer.expect("x");
        await within("the stop", service.stop());
        if (form === "echoes") assert.equal((await peer.closed).reason, "drain");
        else await assert.rejects(peer.closed, /its hooks have not come back/);
      });
    }
  }

  for (const strategy of ["serial", "async"] as const) {
    test(`${strategy}: one instance`, async () => {
      const { plugin, starts, stops } = telling();
      const service = await open(plugin, { strategy });
      for (const count of [1, 2]) {
        const peer = service.connect();
        peer.send("x");
        await peer.expect(`service undefined ${count}\n`);
        peer.end();
      }
      await service.close();
      assert.deepEqual([starts, stops], [[undefined], [undefined]]);
    });
  }

  for (const strategy of ["threads", "processes"] as const) {
    test(`${strategy}: sessions are spread over instances of their own state`, async () => {
      const { plugin, starts, stops } = telling();
      const service = await open(plugin, { strategy, workers: 3 });
      for (const [worker, count] of [[1, 1], [2, 1], [3, 1], [1, 2]]) {
        const peer = service.connect();
        peer.send("x");
        await peer.expect(`worker ${worker} ${count}\n`);
        peer.end();
        await peer.closed;
      }
      await service.close();
      assert.deepEqual([starts, stops], [[1, 2, 3], [1, 2, 3]]);
    });
  }

  test("spawn: a start for each session, which stops with it", async () => {
    const { plugin, starts, stops } = telling();
    const service = await open(plugin, { strategy: "spawn" });
    for (const transport of ["tcp", "udp", "tcp"] as const) {
      const peer = service.connect({ transport });
      peer.send("x");
      await peer.expect("session 1 1\n");
      peer.end();
      await peer.closed;
    }
    const [one, other] = [service.connect(), service.connect()];
    one.send("x");
    other.send("x");
    await one.expect("session 1 1\n");
    await other.expect("session 2 1\n");
    await service.close();
    assert.deepEqual(starts, [1, 1, 1, 1, 2]);
    assert.equal(stops.length, 5);
  });

  test("serial: the second waits until the first is over", async () => {
    const { plugin } = telling();
    await using service = await open(plugin, { strategy: "serial" });
    const [one, other] = [service.connect(), service.connect()];
    other.send("x");
    await other.expectNothing();
    one.send("x");
    await one.expect(/ 1\n/);
    one.end();
    await other.expect(/ 2\n/);
  });

  test("with workers, who leaves while it waits is forgotten, and the next is served", async () => {
    const { plugin } = telling();
    await using service = await open(plugin, { strategy: "threads", max: 1 });
    const [one, two, three] = [service.connect(), service.connect(), service.connect()];
    await service.settle();
    two.reset();
    await service.settle();
    assert.deepEqual(two.records, []);
    one.end();
    three.send("x");
    await three.expect(/^worker/);
  });

  test("what a server refuses is refused: one state, HTTP with workers", async () => {
    const one = definePlugin({
      name: "one",
      transports: ["stream"],
      scope: "service",
      start: () => ({ data() {} }),
    });
    await assert.rejects(open(one, { strategy: "threads" }), /keeps one state/);
    await using _ = await open(one, { strategy: "threads", workers: 1 });
    const web = definePlugin({
      name: "web",
      transports: ["http"],
      start: () => ({ fetch: () => new Response("") }),
    });
    await assert.rejects(open(web, { strategy: "processes" }), /workers cannot serve HTTP/);
  });

  test("a start that fails under spawn refuses its session, and says why", async () => {
    let starts = 0;
    const failing = definePlugin({
      name: "failing",
      transports: ["stream"],
      start: () => {
        if (++starts > 1) throw new Error("no more");
        return { data: (session, chunk) => void session.write(chunk) };
      },
    });
    await using service = await open(failing, { strategy: "spawn" });
    const one = service.connect();
    one.send("x");
    await one.expect("x");
    const { record } = await service.connect().closed;
    assert.equal(record?.["limit"], "workers");
    assert.ok(service.records.some(({ code }) => code === "START_FAILED"));
  });
});
