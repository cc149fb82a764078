/** TLS in the middle of a session, on connections in memory: what is told when. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MemoryPeer } from "../../adapters/memory/mod.ts";
import type { Hooks, Session } from "../../runtime/core/plugin.ts";
import { TLS } from "../support/tls.ts";
import { kill, start, told } from "../support/tls-in-memory.ts";

describe("startTls", () => {
  const CLEAR = { listen: ["tcp://127.0.0.1:7"], tls: TLS } as const;

  /** A small SMTP in each form. `rest` says what is behind the line. */
  const push: Hooks = {
    async data(session, chunk) {
      const [line, ...rest] = new TextDecoder().decode(chunk).split("\n");
      if (line !== "STARTTLS") {
        return void session.write(`${session.tls?.version ?? "clear"} ${line}\n`);
      }
      session.write("220\n");
      await session.startTls({ rest: new TextEncoder().encode(rest.join("\n")) });
      session.write("hello\n");
    },
  };
  const pull: Hooks = {
    async handle(session: Session) {
      for await (const line of session.lines()) {
        if (line !== "STARTTLS") session.write(`${session.tls?.version ?? "clear"} ${line}\n`);
        else {
          session.write("220\n");
          await session.startTls();
          session.write("hello\n");
        }
      }
    },
  };

  async function begun(peer: MemoryPeer, rest: () => Promise<void>): Promise<void> {
    peer.write("a\n");
    await rest();
    peer.write("STARTTLS\n");
    await rest();
  }

  for (const [form, hooks] of [["push", push], ["pull", pull]] as const) {
    test(`${form}: what was written goes out in clear, what follows by TLS`, async (t) => {
      const { server, rest } = await start(t, hooks, CLEAR);
      const peer = server.connect();
      await begun(peer, rest);
      assert.deepEqual([peer.text(), peer.asked?.side], ["clear a\n220\n", "server"]);
      peer.secure();
      await rest();
      peer.write("b\n");
      await rest();
      assert.equal(peer.text(), "clear a\n220\nhello\nTLSv1.3 b\n");
      peer.end();
      await rest();
      assert.match(told(server).join(), /^open,close (?:peer|done)$/);
    });

    test(`${form}: what has come behind the request is refused, and ends the session`, async (t) => {
      const { server, rest } = await start(t, hooks, CLEAR);
      const peer = server.connect();
      peer.write("STARTTLS\nRSET\n");
      await rest();
      assert.deepEqual(told(server), ["open", "error TLS_INJECTION", "close error"]);
      assert.equal(server.records.at(-1)!["code"], "TLS_INJECTION");
      assert.deepEqual([peer.asked, peer.over, server.live()], [undefined, true, 0]);
    });

    test(`${form}: a handshake that fails ends it`, async (t) => {
      const { server, rest } = await start(t, hooks, CLEAR);
      const peer = server.connect();
      await begun(peer, rest);
      peer.failHandshake("no");
      await rest();
      assert.deepEqual(told(server), ["open", "error TLS_FAILED", "close error"]);
      assert.deepEqual([server.live(), server.status().errors], [0, 1]);
    });

    test(`${form}: limits.handshake strikes`, async (t) => {
      const { server, clock, rest } = await start(t, hooks, {
        ...CLEAR,
        limits: { handshake: 1000 },
      });
      const peer = server.connect();
      await begun(peer, rest);
      clock.move(1200);
      await rest();
      assert.deepEqual([told(server), server.live()], [["open", "close handshake"], 0]);
    });

    test(`${form}: cut, reset and ended in the middle of it, it closes once`, async (t) => {
      for (const how of ["kill", "reset"] as const) {
        const { server, clock, rest } = await start(t, hooks, CLEAR);
        const peer = server.connect();
        await begun(peer, rest);
        if (how === "reset") peer.reset();
        else await kill(server, clock);
        await rest();
        const reason = how === "reset" ? "reset" : "drain";
        assert.deepEqual([told(server), server.live()], [["open", `close ${reason}`], 0]);
      }
    });
  }

  test("what is written meanwhile waits, and our end with it", async (t) => {
    const { server, rest } = await start(t, {
      data(session, chunk) {
        void session.startTls().catch(() => {});
        assert.equal(session.write(chunk), true);
        assert.equal(session.write(new Uint8Array(100_000)), false);
        chunk.fill(0);
        session.end("!");
      },
    }, CLEAR);
    const peer = server.connect();
    peer.write("x");
    await rest();
    assert.equal(peer.text(), "");
    peer.secure();
    await rest();
    assert.deepEqual([peer.text().length, peer.over], [100_002, true]);
    assert.equal(peer.text().at(-1), "!");
  });

  test("what cannot be is said at once, and changes nothing", async (t) => {
    const said: string[] = [];
    const tell = (why: unknown): number => said.push(String((why as Error).message));
    const twice: Hooks = {
      async data(session) {
        const first = session.startTls();
        await session.startTls().catch(tell);
        await first;
        await session.startTls().catch(tell);
      },
    };
    const { server, rest } = await start(t, twice, CLEAR);
    const peer = server.connect();
    peer.write("x");
    await rest();
    peer.secure();
    await rest();
    assert.deepEqual(
      said.splice(0),
      Array(2).fill("Cannot start TLS: the session speaks TLS already"),
    );
    assert.deepEqual(told(server), ["open"]);
    const { tls: _, ...clear } = CLEAR;
    const data = async (session: Session): Promise<void> =>
      void await session.startTls().catch(tell);
    const bare = await start(t, { data }, {
      ...clear,
      tls: undefined as never,
      listen: ["tcp://127.0.0.1:7", "udp://127.0.0.1:7"],
    });
    bare.server.connect().write("x");
    bare.server.send("x");
    await bare.rest();
    assert.match(
      said.sort().join(),
      /^cannot start TLS: a datagram has none,.*add "tls" to it in the manifest$/,
    );
  });
});
