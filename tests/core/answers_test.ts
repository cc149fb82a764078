/** What hooks return that they should not; and counters, which nothing may spoil. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Hooks, Plugin } from "../../runtime/core/plugin.ts";
import { addCounters, newCounters } from "../../runtime/core/totals.ts";
import { adapter } from "../support/adapter.ts";
import { handoffOf } from "../support/handoff.ts";
import { InProcessServer, readyService } from "../support/in-process.ts";
import { startInMemory } from "../support/in-memory.ts";
import { get } from "../support/requests.ts";
import { until } from "../support/until.ts";
import { WRONG } from "../support/wrong.ts";

describe("what hooks return", () => {
  const REFUSED = Object.entries(WRONG).filter(([what]) => what !== "true");
  for (const later of [false, true]) {
    test(`verify: what is no answer lets nobody in, ${later ? "later" : "at once"}`, async (t) => {
      for (const [what, value] of REFUSED) {
        const server = await startInMemory(t, {
          verify: () => (later ? Promise.resolve(value) : value) as never,
          data: (session) => void session.write("in"),
        });
        const peer = server.connect();
        peer.write("x");
        server.send("x");
        await server.record("error", 2);
        for (const error of server.all("error")) {
          assert.match(
            String(error["message"]),
            /the answer of verify: true or false is due/,
            what,
          );
        }
        await until("the end", () => server.running.status()[0]!.live === 0);
        assert.equal(peer.text(), "", what);
        assert.deepEqual(server.answers(), [], what);
      }
    });
  }

  test("setup, data, handle and finish: anything", async (t) => {
    for (const [what, value] of Object.entries(WRONG)) {
      const server = await startInMemory(t, {
        setup: () => value as never,
        data(session, chunk) {
          assert.equal(session.state, value);
          session.write(chunk);
          return value as never;
        },
        end(session) {
          session.end();
          return value as never;
        },
        finish: () => value as never,
      });
      const peer = server.connect();
      peer.write("x");
      await until("the echo", () => peer.text() === "x");
      peer.end();
      await server.record("close");
      assert.deepEqual(server.all("error"), [], what);
    }
  });

  test("take: what are no fields is an error, and the session is over", async () => {
    for (const [what, value] of Object.entries(WRONG)) {
      for (const later of [false, true]) {
        const { of, service } = taken((later ? Promise.resolve(value) : value) as never);
        await until("the end", () => of("close").length === 1);
        const right = ["undefined", "an object", "a list"].includes(what);
        assert.equal(of("error").length, right ? 0 : 1, what);
        if (!right) assert.match(String(of("error")[0]!["message"]), /answer of take: an object/);
        for (const counter of Object.values(service.counters)) {
          assert.ok(Number.isSafeInteger(counter));
        }
      }
    }
  });

  test("fetch: what is no response is answered with 500, and an error", async (t) => {
    const used = new Response("x");
    await used.text();
    const odd: readonly unknown[] = [
      ...Object.values(WRONG),
      Response.error(),
      used,
      new Proxy({}, { getPrototypeOf: () => null }),
      new Proxy({}, {
        getPrototypeOf() {
          throw new Error("even that throws");
        },
      }),
    ];
    let answer: unknown;
    const server = await served(t, () => answer as never);
    for (const [at, value] of odd.entries()) {
      for (const later of [false, true]) {
        answer = later ? Promise.resolve(value) : value;
        assert.equal((await get(server.endpoint(), "/")).status, 500, `${at}`);
      }
    }
    await server.record("error", 2 * odd.length);
    answer = new Response("fine");
    assert.equal((await get(server.endpoint(), "/")).text, "fine");
  });

  test("fetch: a stream of what are no bytes leaves counters that are numbers", async (t) => {
    const server = await served(t, () => {
      const body = new ReadableStream({
        start: (controller) => void controller.enqueue(5),
      });
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    });
    await get(server.endpoint(), "/").catch(() => {});
    await until("the end", () => server.live() === 0);
    assert.equal(server.status().bytesOut, 0);
  });
});

/** A service of one hook `fetch`, on the adapter of this runtime. */
async function served(
  scope: Parameters<typeof startInMemory>[0],
  fetch: NonNullable<Hooks["fetch"]>,
): Promise<InProcessServer> {
  const server = new InProcessServer(adapter);
  const plugin: Plugin = { name: "web", transports: ["http"], start: () => ({ fetch }) };
  const settings = { listen: ["http://127.0.0.1:0"] };
  const ready = readyService(plugin as unknown as Plugin<never, never>, server.log(), settings);
  return await server.start(scope, [ready]);
}

/** One socket whose hook `take` has answered so. */
function taken(answer: never): ReturnType<typeof handoffOf> {
  const stage = handoffOf({ take: () => answer });
  stage.arrive(2);
  return stage;
}

describe("counters", () => {
  test("what is no number that grows is not counted", async (t) => {
    const total = newCounters();
    for (const value of Object.values(WRONG)) {
      addCounters(total, { ...newCounters(), bytesIn: value as number, served: value as number });
    }
    assert.deepEqual([total.bytesIn, total.served], [5, 5]);
    const server = await startInMemory(t, {
      data(session) {
        (session as { bytesOut: number }).bytesOut = NaN;
        session.write("x");
      },
    });
    const peer = server.connect();
    peer.write("x");
    await until("the answer", () => peer.text() === "x");
    peer.end();
    await server.record("close");
    assert.equal(server.running.status()[0]!.bytesOut, 0);
  });
});
