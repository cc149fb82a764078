/** How a session tells that it is over, and what it waits for. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTo } from "node:net";
import { describe, test } from "node:test";
import { definePlugin } from "portico";
import { open } from "portico/testing";
import type { Session } from "../../runtime/core/plugin.ts";
import { startInMemory } from "../support/in-memory.ts";
import { startHooks } from "../support/in-process.ts";
import { outgoingOf, tcpServer } from "../support/outgoing.ts";
import { until, within } from "../support/until.ts";
import { parseEndpoint } from "../../runtime/core/endpoint.ts";

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** A client of node:net that is there; its end is the test's affair. */
function dial(t: { after(done: () => void): void }, endpoint: string) {
  const { host, port } = parseEndpoint(endpoint) as { host: string; port: number };
  const socket = connectTo({ host, port, allowHalfOpen: true });
  socket.on("error", () => {});
  t.after(() => void socket.destroy());
  return socket;
}

test("finish knows both addresses still, of a listener on every address", async (t) => {
  let told: string[] | undefined;
  const server = await startHooks(t, {
    data(session) {
      session.abort();
    },
    finish(session) {
      told = [`${session.remote}`, `${session.local}`];
    },
  }, { listen: "tcp://0.0.0.0:0" });
  const socket = dial(t, server.endpoint().replace("0.0.0.0", "127.0.0.1"));
  await within("a connection", once(socket, "connect"));
  const { localPort, remotePort } = socket;
  socket.write("x");
  await until("finish", () => told !== undefined);
  assert.deepEqual(told, [`tcp://127.0.0.1:${localPort}`, `tcp://127.0.0.1:${remotePort}`]);
});

describe("connect without hooks", () => {
  test("whoever has connected reads and writes, in pull form", async (t) => {
    const endpoint = await tcpServer(t, (socket) => {
      socket.write("220 ready\r\n");
      socket.on("data", (chunk) => socket.write(`250 ${String(chunk)}`));
      socket.on("end", () => socket.end("221 bye\r\n"));
    });
    const { connect, events, outgoing } = outgoingOf(t);
    const session = await connect(endpoint);
    const replies = session.lines();
    assert.equal((await replies.next()).value, "220 ready");
    await session.send("NOOP\r\n");
    assert.equal((await replies.next()).value, "250 NOOP");
    session.end();
    assert.equal((await replies.next()).value, "221 bye");
    assert.equal((await replies.next()).done, true);
    assert.deepEqual(await within("closed", session.closed), { reason: "done" });
    await until("close", () => events().includes("close"));
    assert.equal(outgoing.live, 0);
  });

  test("who waits for closed, or the signal, has read the tail", async (t) => {
    const text = "x".repeat(200_000);
    const server = await startHooks(t, { handle: (session: Session) => session.send(text) });
    const { connect } = outgoingOf(t);
    for (let round = 0; round < 20; round++) {
      const session = await connect(server.endpoint());
      session.end();
      let length = 0;
      let atClosed = -1;
      let atSignal = -1;
      void session.closed.then(() => atClosed = length);
      session.signal.addEventListener("abort", () => atSignal = length);
      for await (const chunk of session) {
        length += chunk.length;
        // Something else takes its time, and the peer has gone meanwhile.
        if (length === chunk.length) await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await within("closed", session.closed);
      assert.deepEqual([length, atClosed, atSignal], [text.length, text.length, text.length]);
    }
  });

  test("what nobody reads holds up nothing for long: a drain ends it", async (t) => {
    const endpoint = await tcpServer(t, (socket) => void socket.end("unread"));
    const { connect, outgoing } = outgoingOf(t);
    const session = await connect(endpoint);
    session.end();
    await within("the drain", outgoing.drain(100));
    assert.equal(outgoing.live, 0);
    await within("closed", session.closed);
  });
});

describe("closed", () => {
  const WAYS = [
    ["push", "peer"],
    ["pull", "peer"],
    ["push", "reset"],
    ["pull", "reset"],
    ["push", "aborted"],
    ["pull", "aborted"],
  ] as const;
  for (const [form, reason] of WAYS) {
    test(`${form}: it names the reason ${reason}, also to who asks late`, async (t) => {
      const sessions: Session[] = [];
      const reading = (session: Session): void => {
        sessions.push(session);
        if (reason === "aborted") session.abort();
      };
      const server = await startHooks(
        t,
        form === "push" ? { data: reading } : {
          async handle(session: Session) {
            for await (const _ of session) reading(session);
          },
        },
      );
      const client = dial(t, server.endpoint());
      client.write("hello");
      await until("the session", () => sessions.length === 1);
      const early = sessions[0]!.closed;
      if (reason === "peer") client.end();
      if (reason === "reset") client.resetAndDestroy();
      const wanted = form === "pull" && reason === "peer" ? ["peer", "done"] : [reason];
      const told = await within("closed", early);
      assert.ok(wanted.includes(told.reason), told.reason);
      assert.equal(await sessions[0]!.closed, told);
      await until("close", () => server.all("close").length > 0);
    });
  }

  test("of a datagram it comes with the end of its hook", async (t) => {
    const server = await startHooks(t, {
      data(session: Session, bytes): void {
        session.closed.then(({ reason }) => told.resolve(`${reason} ${kept}`));
        kept = decode(bytes);
      },
    }, { listen: "udp://127.0.0.1:0" });
    let kept = "";
    const told = Promise.withResolvers<string>();
    const { createSocket } = await import("node:dgram");
    const socket = createSocket("udp4");
    t.after(() => void socket.close());
    const { port } = parseEndpoint(server.endpoint()) as { port: number };
    socket.send("ping", port, "127.0.0.1");
    assert.equal(await within("closed", told.promise), "done ping");
  });
});

describe("deadline", () => {
  test("it strikes once its time is over, after what was written has gone out", async (t) => {
    const server = await startHooks(t, {
      setup: ((session: Session) => {
        session.write("you have 100 ms");
        session.deadline("100ms");
      }) as never,
      data() {},
    });
    const client = dial(t, server.endpoint());
    let heard = "";
    client.on("data", (chunk) => heard += chunk);
    const began = performance.now();
    await until("close", () => server.all("close").length > 0);
    const took = performance.now() - began;
    assert.ok(took > 90, `${took} ms`);
    assert.equal(server.all("close")[0]!["reason"], "deadline");
    await until("the text", () => heard === "you have 100 ms");
  });

  test("it counts anew with each call, and is lifted by Infinity", async () => {
    const plugin = definePlugin({
      name: "patient",
      transports: ["stream"],
      start: () => ({
        data(session, chunk) {
          session.deadline(decode(chunk) === "more" ? "10s" : Infinity);
          session.write("ok");
        },
      }),
    });
    await using service = await open(plugin);
    const peer = service.connect();
    for (const word of ["more", "more", "more", "enough"]) {
      peer.send(word);
      await peer.expect("ok");
      await service.clock.advance(word === "enough" ? "13s" : "8s");
      assert.equal(peer.over, false);
    }
    peer.send("more");
    await peer.expect("ok");
    await service.clock.advance("11s");
    assert.equal((await peer.closed).reason, "deadline");
  });

  test("what is no duration is refused at the plugin's line", async (t) => {
    const refused = Promise.withResolvers<string[]>();
    const server = await startHooks(t, {
      data(session: Session) {
        const wrong: unknown[] = ["soon", -1, NaN, 2 ** 40, {}, undefined];
        refused.resolve(wrong.map((value) => {
          try {
            session.deadline(value as number);
            return "taken";
          } catch (error) {
            return `${(error as Error).name}: ${(error as Error).message}`;
          }
        }));
      },
    });
    dial(t, server.endpoint()).write("x");
    for (const text of await within("the errors", refused.promise)) {
      assert.match(
        text,
        /^(Range|Type)Error: after of deadline\(after\): milliseconds from 0 to 2147483647/,
      );
    }
  });
});

describe("writable", () => {
  test("it waits for the backlog, and rejects when the session ends first", async (t) => {
    const states: string[] = [];
    const sessions: Session[] = [];
    const server = await startInMemory(t, {
      async data(session: Session) {
        sessions.push(session);
        await session.writable();
        states.push("at once");
        // More than the memory adapter takes at once.
        while (session.write(new Uint8Array(40 * 1024)));
        const waiting = session.writable();
        void waiting.then(() => states.push("drained"), (error) => states.push(error.code));
        states.push("full");
        await waiting;
      },
    });
    const client = server.connect();
    client.read(false);
    client.write("x");
    await until("it is full", () => states.includes("full"));
    assert.deepEqual(states, ["at once", "full"]);
    client.read(true);
    await until("it is drained", () => states.length === 3);
    assert.deepEqual(states, ["at once", "full", "drained"]);
    sessions[0]!.abort();
    await assert.rejects(sessions[0]!.writable(), { code: "SESSION_CLOSED" });
  });
});
