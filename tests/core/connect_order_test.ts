/** Whoever calls connect has its session before any hook of it is called, however quick the other side is. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { Worker } from "node:worker_threads";
import type { Hooks, Session } from "../../runtime/core/plugin.ts";
import { freeAddress, lackingTransport } from "../support/adapter.ts";
import { startHooks } from "../support/in-process.ts";
import { echoTwice, outgoingOf } from "../support/outgoing.ts";
import { until, within } from "../support/until.ts";

const ROUNDS = 300;
/** Against a target in this thread, which takes its turns with us. */
const FEWER = 30;
const GREETING = "220 hello\r\n";

/** What the other side does as soon as it is connected to. */
const TARGETS: Readonly<Record<string, (session: Session) => void>> = {
  "speaks first": (session) => {
    session.write(GREETING);
  },
  "speaks and ends": (session) => {
    session.write(GREETING);
    session.end();
  },
  "ends at once": (session) => session.end(),
  "resets at once": (session) => session.abort(),
};

/** Its greeting may be there before this thread has heard that it is connected. */
const SPEAKER = `
  const { parentPort } = require("node:worker_threads");
  const server = require("node:net").createServer({ allowHalfOpen: true }, (socket) => {
    socket.write(${JSON.stringify(GREETING)});
    socket.resume().on("end", () => socket.end()).on("error", () => {});
  });
  server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
`;

/** One session: the hooks that were called, in their order, and what it hears. */
interface Heard {
  readonly calls: string[];
  text: string;
  /** Whoever has called connect has gone on. */
  mine: boolean;
}

function say({ state }: Session<Heard>, name: string): void {
  state.calls.push(state.mine ? name : `${name} too early`);
}

function hear(session: Session<Heard>, chunk: Uint8Array): void {
  say(session, "data");
  session.state.text += new TextDecoder().decode(chunk);
}

const LAST: Hooks<Heard> = {
  error: (session) => say(session, "error"),
  finish: (session) => say(session, "finish"),
};

const FORMS: Readonly<Record<"push" | "pull", Hooks<Heard>>> = {
  push: {
    ...LAST,
    data: hear,
    end(session) {
      say(session, "end");
      session.end();
    },
  },
  pull: {
    ...LAST,
    async handle(session) {
      say(session, "handle");
      for await (const chunk of session) hear(session, chunk);
      say(session, "end");
    },
  },
};

async function connectOften(
  t: TestContext,
  endpoint: string,
  hooks: Hooks<Heard>,
  speaks: boolean,
  rounds: number,
): Promise<void> {
  const { outgoing, connect } = outgoingOf(t);
  // As in a plugin: a few promises further on.
  const reach = async (state: Heard): Promise<Session<Heard>> => {
    const session = await connect(endpoint, hooks, { state });
    return await Promise.resolve(session);
  };
  for (let i = 0; i < rounds; i++) {
    const state: Heard = { calls: [], text: "", mine: false };
    let session: Session<Heard>;
    try {
      session = await reach(state);
    } catch (error) {
      // The reset was there before the connection was.
      assert.equal((error as { code?: string }).code, "ECONNRESET");
      assert.equal(state.calls.join(), "");
      continue;
    }
    assert.equal(session.state, state);
    assert.equal(state.calls.join(), "", `round ${i}`);
    state.mine = true;
    if (speaks) {
      await until(() => `the greeting: ${state.calls}`, () => state.text !== "");
      assert.equal(state.text, GREETING);
      session.end();
    }
    await until(() => `the finish: ${state.calls}`, () => state.calls.includes("finish"));
    assert.equal(state.calls.filter((call) => call.endsWith("early")).join(), "", `round ${i}`);
    assert.equal(state.calls.filter((call) => call === "finish").length, 1);
  }
  await until("the end of all", () => outgoing.live === 0);
}

for (const transport of ["tcp", "unix"] as const) {
  const skip = lackingTransport(transport);

  for (const [form, hooks] of Object.entries(FORMS)) {
    for (const [what, act] of Object.entries(TARGETS)) {
      test(
        `connect over ${transport}, ${form} form, to one that ${what}: the caller goes on first`,
        {
          skip,
        },
        async (t) => {
          const target: Hooks<void> = {
            setup: act,
            data() {},
            end: (session) => session.end(),
          };
          const server = await startHooks(t, target as Hooks<never>, {
            listen: freeAddress(t, transport),
          });
          await connectOften(t, server.endpoint(), hooks, what.startsWith("speaks"), FEWER);
        },
      );
    }
  }
}

for (const [form, hooks] of Object.entries(FORMS)) {
  test(`connect, ${form} form, to a thread that speaks first: the caller goes on first`, async (t) => {
    const thread = new Worker(SPEAKER, { eval: true });
    t.after(() => thread.terminate());
    const [port] = await within("a port", once(thread, "message"));
    await connectOften(t, `tcp://127.0.0.1:${port}`, hooks, true, ROUNDS);
  });
}

test("connect over udp: the caller goes on first, then handle is called", {
  skip: lackingTransport("udp"),
}, async (t) => {
  const endpoint = await echoTwice(t);
  const { outgoing, connect } = outgoingOf(t);
  const hooks: Hooks<Heard> = {
    ...LAST,
    async handle(session) {
      say(session, "handle");
      session.write("hello");
      for await (const chunk of session) return hear(session, chunk);
    },
  };
  for (let i = 0; i < ROUNDS; i++) {
    const state: Heard = { calls: [], text: "", mine: false };
    const session = await connect(endpoint, hooks, { state });
    assert.equal(session.state, state);
    state.mine = true;
    await until("the finish", () => state.calls.includes("finish"));
    assert.deepEqual(state.calls, ["handle", "data", "finish"]);
    assert.equal(state.text, "hello");
  }
  await until("the end of all", () => outgoing.live === 0);
});

test("connect: who ends what it has just opened hears no more than its finish", async (t) => {
  const speaker: Hooks<void> = { setup: TARGETS["speaks first"]!, data() {} };
  const server = await startHooks(t, speaker as Hooks<never>, { listen: "tcp://127.0.0.1:0" });
  const datagrams = lackingTransport("udp") === false ? [await echoTwice(t)] : [];
  const { outgoing, connect } = outgoingOf(t);
  for (const endpoint of [server.endpoint(), ...datagrams]) {
    for (const hooks of Object.values(FORMS)) {
      const state: Heard = { calls: [], text: "", mine: false };
      const session = await connect(endpoint, hooks, { state });
      state.mine = true;
      session.abort();
      await until("the finish", () => state.calls.includes("finish"));
      assert.deepEqual(state.calls, ["finish"], endpoint);
    }
  }
  await until("the end of all", () => outgoing.live === 0);
});
