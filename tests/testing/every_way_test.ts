import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { definePlugin } from "portico";
import { everyWay, type Peer } from "portico/testing";
import echo from "../../plugins/echo.ts";

describe("everyWay", () => {
  test("echo holds over every transport, in every split, under every strategy", async () => {
    await everyWay(echo, [{ send: "hello\n", expect: "HELLO\n" }], { options: { upper: true } });
    await everyWay(echo, [{ send: "wor" }, { send: "ld\n", expect: "world\n", end: true }], {
      transport: ["tcp", "unix"],
    });
  });

  test("a plugin that takes a chunk for a line is found out, with the split", async () => {
    const naive = definePlugin({
      name: "naive",
      transports: ["stream"],
      start: () => ({ data: (session, chunk) => void session.write(`<${chunk.length}>`) }),
    });
    await assert.rejects(
      everyWay(naive, [{ send: "hello\n", expect: "<6>" }]),
      /over tcp, strategy serial, byte by byte:\n[\s\S]*received {2}"<1>/,
    );
  });

  test("state that leaks from one session to another is found out", async () => {
    const leaking = definePlugin({
      name: "leaking",
      transports: ["stream"],
      start: () => {
        let line = "";
        return {
          data(session, chunk) {
            line += new TextDecoder().decode(chunk);
            if (!line.endsWith("\n")) return;
            session.write(line);
            line = "";
          },
        };
      },
    });
    await assert.rejects(
      everyWay(leaking, [{ send: "hello\n", expect: "hello\n" }]),
      /two sessions at once[\s\S]*session\.state/,
    );
    const counting = definePlugin({
      name: "counting",
      transports: ["stream"],
      start: () => {
        let count = 0;
        return { data: (session) => void session.write(`${++count}`) };
      },
    });
    await assert.rejects(everyWay(counting, [{ send: "x", expect: "1" }]), /in a second session/);
  });

  test("a failure names the line of the test", async () => {
    for (
      const conversation of [
        [{ send: "a", expect: "b" }],
        async (peer: Peer) => {
          peer.send("a");
          await peer.expect("b");
        },
      ]
    ) {
      const error = await everyWay(echo, conversation).catch((error: Error) => error);
      assert.match((error as Error).stack!.split("\n    at ")[1] ?? "", /every_way_test\.ts/);
    }
  });

  test("what a conversation finds wrong itself is told with the way", async () => {
    await assert.rejects(
      everyWay(echo, (peer) => assert.equal(peer.kind, "nothing")),
      /over tcp, strategy serial, each send as one piece:[\s\S]*nothing/,
    );
  });

  test("fresh: a plugin that remembers has a service of its own in each run", async () => {
    const greeting = definePlugin({
      name: "greeting",
      transports: ["stream"],
      start: () => {
        const known = new Set<string>();
        return {
          async handle(session) {
            for await (const name of session.lines()) {
              session.write(known.has(name) ? `again, ${name}\n` : `hello, ${name}\n`);
              known.add(name);
            }
          },
        };
      },
    });
    const conversation = [
      { send: "anna\n", expect: "hello, anna\n" },
      { send: "anna\n", expect: "again, anna\n" },
    ];
    await everyWay(greeting, conversation, { fresh: true });
    await assert.rejects(everyWay(greeting, conversation), /in a second session/);
  });

  test("a step does what it says in the order in which that is written, and nothing unknown", async () => {
    const counting = definePlugin({
      name: "counting",
      transports: ["stream"],
      start: () => ({
        async handle(session) {
          let bytes = 0;
          for await (const chunk of session) bytes += chunk.length;
          session.write(`${bytes}`);
        },
      }),
    });
    await everyWay(counting, [{ send: "12345", end: true, expect: "5", expectEnd: true }]);
    await assert.rejects(everyWay(echo, [{ sends: "x" } as never]), /received sends/);
  });

  test("a hook that fails when nobody listens any more is told, unless it may", async () => {
    const untidy = definePlugin({
      name: "untidy",
      transports: ["stream"],
      start: () => ({
        data: (session, chunk) => void session.write(chunk),
        finish() {
          throw new Error("it fell over");
        },
      }),
    });
    const conversation = [{ send: "x", expect: "x" }];
    await assert.rejects(
      everyWay(untidy, conversation),
      /the plugin has failed[\s\S]*it fell over/,
    );
    await everyWay(untidy, conversation, { mayFail: true });
  });

  test("what would follow a conversation of steps is a failure", async () => {
    await assert.rejects(
      everyWay(echo, [{ send: "hello", expect: "hell" }], { transport: "tcp" }),
      /received what was not expected\n {2}received {2}"o"/,
    );
  });

  test("HTTP: under the strategies that can have it, also two clients at once", async () => {
    const seen = new Set<string>();
    const web = definePlugin({
      name: "web",
      transports: ["http"],
      start: ({ scope }) => ({
        async fetch(request) {
          seen.add(scope);
          return new Response((await request.text()).toUpperCase());
        },
      }),
    });
    await everyWay(web, async (peer) => {
      const answer = await peer.fetch("/", { method: "POST", body: "hello" });
      assert.equal(await answer.text(), "HELLO");
    });
    assert.deepEqual([...seen], ["service"]);
  });

  test("one state for all: only the strategies that leave it one; one that is named is refused", async () => {
    const strategies = new Set<unknown>();
    const one = definePlugin({
      name: "one",
      transports: ["stream"],
      scope: "service",
      start: ({ worker }) => {
        strategies.add(worker);
        return { data: (session, chunk) => void session.write(chunk) };
      },
    });
    await everyWay(one, [{ send: "x", expect: "x" }]);
    assert.deepEqual([...strategies], [undefined]);
    const threads = everyWay(one, [{ send: "x" }], { strategy: "threads" });
    await assert.rejects(threads, /keeps one state/);
  });
});
