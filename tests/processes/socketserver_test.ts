/** The checks of Python's own test_socketserver, over every transport and under every strategy of one process. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, test, type TestContext } from "node:test";
import type { Hooks, Session } from "../../runtime/core/plugin.ts";
import { assertBytes, pattern, text } from "../conformance/harness.ts";
import {
  collectGarbage,
  freeAddress,
  lackingTransport,
  type PlainTransport,
} from "../support/adapter.ts";
import { InProcessServer, startHooks } from "../support/in-process.ts";
import { dial, knock, openDatagrams } from "../support/peers.ts";
import { countDescriptors } from "../support/proc.ts";
import { until, within } from "../support/until.ts";

const STREAMS: readonly PlainTransport[] = ["tcp", "unix"];
const DATAGRAMS: readonly PlainTransport[] = ["udp", "unixgram"];
const STRATEGIES = ["serial", "async"] as const;

const ECHO: Hooks<never> = {
  data: (session, chunk) => void session.write(chunk),
};

/** A test for each of these transports, under each strategy. */
function each(
  transports: readonly PlainTransport[],
  sentence: string,
  run: (
    t: TestContext,
    service: { readonly listen: string; readonly concurrency: string },
    transport: PlainTransport,
  ) => Promise<void>,
): void {
  for (const transport of transports) {
    for (const concurrency of STRATEGIES) {
      test(
        `${concurrency} over ${transport}: ${sentence}`,
        { skip: lackingTransport(transport) },
        (t) => run(t, { listen: freeAddress(t, transport), concurrency }, transport),
      );
    }
  }
}

/** Waits for descriptors to be as few as before; what a runtime closes, it may close a little later. */
async function back(to: number): Promise<void> {
  await until(
    () => `${to} descriptors; there are ${countDescriptors()}`,
    () => countDescriptors() <= to,
  );
}

/** Talks to an echo once: a whole session. */
async function visit(
  t: TestContext,
  server: InProcessServer,
  transport: PlainTransport,
  say: string,
): Promise<string> {
  if (DATAGRAMS.includes(transport)) {
    return text(await (await openDatagrams(t, transport)).ask(say, server.endpoint()));
  }
  const peer = await dial(t, server.endpoint());
  peer.send(say);
  peer.end();
  await peer.when("the close", () => peer.gone);
  return peer.text;
}

describe("a server", () => {
  each(
    [...STREAMS, ...DATAGRAMS],
    "echoes to three peers at once",
    async (t, service, transport) => {
      const server = await startHooks(t, ECHO, service);
      const said = ["hello world\n", "γειά σου κόσμε\n", "third\n"];
      assert.deepEqual(
        await Promise.all(said.map((say) => visit(t, server, transport, say))),
        said,
      );
      await server.count(3, "close");
      const { served, refused, errors, live } = server.running.status()[0]!;
      assert.deepEqual({ served, refused, errors, live }, {
        served: 3,
        refused: 0,
        errors: 0,
        live: 0,
      });
    },
  );

  for (const transport of [...STREAMS, ...DATAGRAMS]) {
    const skip = { skip: lackingTransport(transport) };

    test(
      `over ${transport}: 20 of them shut down at once, each with a session`,
      skip,
      async (t) => {
        const servers = await Promise.all(
          Array.from(
            { length: 20 },
            () => startHooks(t, ECHO, { listen: freeAddress(t, transport), limits: { drain: 0 } }),
          ),
        );
        const places = servers.map((server) => server.endpoint());
        const peers = await Promise.all(servers.map(async (server) => {
          if (DATAGRAMS.includes(transport)) return await visit(t, server, transport, "x");
          const peer = await dial(t, server.endpoint());
          await peer.echo("x");
          return peer;
        }));
        await within("20 stops", Promise.all(servers.map((server) => server.running.stop())));
        for (const [i, peer] of peers.entries()) {
          if (typeof peer === "string") continue;
          await peer.over();
          assert.equal(servers[i]!.all("close")[0]!["reason"], "drain");
          assert.notEqual(await knock(places[i]!), undefined, "nobody is let in");
        }
        // What they had can be had again.
        const again = await Promise.all(places.map((listen) => startHooks(t, ECHO, { listen })));
        assert.equal(await visit(t, again[7]!, transport, "again"), "again");
      },
    );

    test(`over ${transport}: it closes without ever having served`, skip, async (t) => {
      const listen = freeAddress(t, transport);
      await (await startHooks(t, ECHO, { listen })).running.stop();
      const before = countDescriptors();
      const server = await startHooks(t, ECHO, { listen });
      const endpoint = server.endpoint();
      await within("a stop", server.running.stop());
      await within("a second stop", server.running.stop());
      assert.deepEqual(server.records.map(({ event }) => event), ["listening"]);
      if (transport.startsWith("unix")) {
        assert.equal(existsSync(endpoint.slice(endpoint.indexOf(":") + 1)), false);
      }
      await back(before);
      await (await startHooks(t, ECHO, { listen: endpoint })).running.stop();
    });

    test(
      `over ${transport}: 1,024 failing binds leave no descriptor, and each plugin is stopped`,
      skip,
      async (t) => {
        const listen = (await startHooks(t, ECHO, { listen: freeAddress(t, transport) }))
          .endpoint();
        let stopped = 0;
        const fail = (): Promise<void> =>
          assert.rejects(
            startHooks(t, { ...ECHO, stop: () => void stopped++ }, { listen }),
            {
              code: "EADDRINUSE",
              message: /^service "tested": .*a\.sock|127\.0\.0\.1:\d+/,
            },
          );
        await fail();
        const before = countDescriptors();
        for (let i = 0; i < 1024; i++) await fail();
        assert.equal(stopped, 1025);
        await back(before);
      },
    );
  }
});

describe("a refused request", () => {
  each(
    STREAMS,
    "is shut down: its peer sees the end, and the next is served",
    async (t, service, transport) => {
      let welcome = false;
      const finished: unknown[] = [];
      const server = await startHooks(t, {
        ...ECHO,
        verify: () => welcome,
        finish: (session: Session) => void finished.push(session.id),
      }, service);
      const peer = await dial(t, server.endpoint());
      await peer.when("the close", () => peer.gone || peer.ended);
      assert.deepEqual([peer.received, peer.code], [0, undefined]);
      const [refusal] = await server.count(1, "refuse");
      assert.deepEqual([refusal!["rule"], refusal!.level], ["verify", "info"]);
      assert.deepEqual([server.all("open"), finished], [[], []]);
      welcome = true;
      assert.equal(await visit(t, server, transport, "hello"), "hello");
      await until("nobody left", () => server.live() === 0);
    },
  );
  each(STREAMS, "is shut down when the limit of sessions is reached", async (t, service) => {
    const server = await startHooks(t, ECHO, { ...service, limits: { sessions: 1 } });
    const first = await dial(t, server.endpoint());
    await first.echo("first");
    const second = await dial(t, server.endpoint());
    await second.over();
    assert.equal(second.received, 0);
    assert.equal((await server.count(1, "refuse"))[0]!["limit"], "sessions");
    await first.echo(" goes on");
  });
  each(
    ["tcp", "udp"],
    "is refused by its address before the plugin hears of it",
    async (t, service, transport) => {
      let asked = 0;
      const server = await startHooks(t, { ...ECHO, verify: () => ++asked > 0 }, {
        ...service,
        access: { allow: ["192.0.2.0/24"] },
      });
      if (transport === "tcp") await (await dial(t, server.endpoint())).over();
      else (await openDatagrams(t, transport)).send("x", server.endpoint());
      const [refusal] = await server.count(1, "refuse");
      assert.equal(refusal!["rule"], "not in allow");
      assert.equal(asked, 0);
    },
  );
  each(DATAGRAMS, "is not answered, and the next is", async (t, service, transport) => {
    let welcome = false;
    const server = await startHooks(t, { ...ECHO, verify: () => welcome }, service);
    const peer = await openDatagrams(t, transport);
    peer.send("not this one", server.endpoint());
    const [refusal] = await server.count(1, "refuse");
    assert.deepEqual([refusal!["rule"], refusal!.level], ["verify", "debug"]);
    welcome = true;
    assert.equal(text(await peer.ask("this one", server.endpoint())), "this one");
    assert.equal(peer.received.length, 1);
  });
});

describe("a finished session", () => {
  each(
    [...STREAMS, ...DATAGRAMS],
    "is not kept: no count, no descriptor, no memory",
    async (t, service, transport) => {
      const states: WeakRef<object>[] = [];
      const server = await startHooks(t, {
        ...ECHO,
        setup: (session: Session) => {
          const state = { of: session };
          states.push(new WeakRef(state));
          return state as never;
        },
      }, service);
      await visit(t, server, transport, "x");
      await until("nobody there", () => server.live() === 0);
      const before = countDescriptors();
      if (STREAMS.includes(transport)) {
        for (let i = 0; i < 20; i++) {
          await Promise.all(Array.from({ length: 10 }, () => visit(t, server, transport, "x")));
        }
      } else {
        const peer = await openDatagrams(t, transport);
        for (let i = 0; i < 200; i++) await peer.ask("x", server.endpoint());
      }
      await server.count(201, "close");
      assert.deepEqual([server.live(), server.running.status()[0]!.served], [0, 201]);
      await back(before + (STREAMS.includes(transport) ? 0 : 1));
      const kept = (): number => states.filter((state) => state.deref() !== undefined).length;
      // A collector may leave a few that the stack seems to hold.
      await until(() => `sessions to be forgotten; ${kept()} of 201 are kept`, () => {
        collectGarbage();
        return kept() <= 10;
      });
    },
  );
});

describe("a big write", () => {
  const BIG = pattern(16 * 1024 * 1024 + 1);
  const ways: Readonly<Record<string, Hooks<never>>> = {
    "in push form": {
      data(session) {
        session.write(BIG);
        session.end();
      },
    },
    "in pull form": {
      async handle(session) {
        await session.readExactly(1);
        await session.send(BIG);
      },
    },
  };
  for (const [way, hooks] of Object.entries(ways)) {
    each(STREAMS, `is whole ${way}, to a peer that reads late`, async (t, service) => {
      const server = await startHooks(t, hooks, { ...service, limits: { writeBuffer: "64MiB" } });
      const peer = await dial(t, server.endpoint(), false);
      peer.send("x");
      await server.count(1, "open");
      peer.socket.resume();
      await peer.over();
      assertBytes(peer.bytes(), BIG, "what came");
      peer.end();
      const [close] = await server.count(1, "close");
      assert.equal(close!["bytesOut"], BIG.length);
    });
  }
  each(
    DATAGRAMS,
    "is whole at 65,507 bytes, and so is an empty one",
    async (t, service, transport) => {
      const server = await startHooks(t, ECHO, service);
      const peer = await openDatagrams(t, transport);
      const largest = pattern(65_507);
      assertBytes(await peer.ask(largest, server.endpoint()), largest, "the largest");
      assertBytes(
        await peer.ask(new Uint8Array(), server.endpoint()),
        new Uint8Array(),
        "the smallest",
      );
      assert.equal(text(await peer.ask("between", server.endpoint())), "between");
      assert.deepEqual(server.all("error"), []);
    },
  );
});

describe("a failing handler", () => {
  const ways: Readonly<Record<string, Hooks<never>["data"]>> = {
    throws(session, chunk) {
      if (text(chunk) === "fail") throw new Error("on purpose");
      session.write(chunk);
    },
    async rejects(session, chunk) {
      await Promise.resolve();
      if (text(chunk) === "fail") throw new Error("on purpose");
      session.write(chunk);
    },
  };
  for (const [way, data] of Object.entries(ways)) {
    each(
      STREAMS,
      `that ${way} is reported, ends its session, and no other`,
      async (t, service, transport) => {
        const server = await startHooks(t, { data: data! }, service);
        const bad = await dial(t, server.endpoint());
        const good = await dial(t, server.endpoint());
        bad.send("fail");
        await bad.over();
        await good.echo("goes on");
        // It ends in order: the peer may say so, too.
        bad.end();
        const [error] = await server.count(1, "error");
        const { level, code, side, message, session } = error!;
        assert.deepEqual({ level, code, side, message }, {
          level: "error",
          code: "HOOK_FAILED",
          side: "plugin",
          message: "on purpose",
        });
        const close = (await server.count(1, "close"))[0]!;
        assert.deepEqual([close.session, close["reason"]], [session, "error"]);
        good.end();
        assert.equal(await visit(t, server, transport, "hello"), "hello");
      },
    );
    each(
      DATAGRAMS,
      `that ${way} is reported, and the next datagram is answered`,
      async (t, service, transport) => {
        const server = await startHooks(t, { data: data! }, service);
        const peer = await openDatagrams(t, transport);
        peer.send("fail", server.endpoint());
        assert.equal(text(await peer.ask("hello", server.endpoint())), "hello");
        const [error] = await server.count(1, "error");
        assert.deepEqual([error!["code"], error!["message"]], ["HOOK_FAILED", "on purpose"]);
        // Two datagrams may change places on their way.
        assert.ok(server.all("open").some(({ session }) => session === error!.session));
      },
    );
  }
});
