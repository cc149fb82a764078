/** TLS between a session's turn and its plugin, on connections in memory: what is told when. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MemoryPeer } from "../../adapters/memory/mod.ts";
import type { Access } from "../../runtime/core/plan.ts";
import type { Hooks, Session } from "../../runtime/core/plugin.ts";
import type { PeerCertificate } from "../../runtime/core/tls.ts";
import type { Settings } from "../support/in-process.ts";
import { type InMemoryServer, startInMemory } from "../support/in-memory.ts";
import type { Scope } from "../support/scope.ts";
import { StillClock } from "../support/still-clock.ts";
import { FixedCertificates, TLS } from "../support/tls.ts";

const ECHO: Hooks = { data: (session, chunk) => void session.write(chunk) };
const EXPECTED = { listen: ["tls://127.0.0.1:7"], tls: TLS } as const;

interface Started {
  readonly server: InMemoryServer;
  readonly clock: StillClock;
  /** All that was set in motion comes to rest. */
  readonly rest: () => Promise<void>;
}

async function start(scope: Scope, hooks: Hooks, settings: Settings = {}): Promise<Started> {
  const clock = new StillClock();
  const more = { clock, certificates: new FixedCertificates().read };
  // At the end time passes again: what is left is waited for by this clock, too.
  let passing: ReturnType<typeof setInterval>;
  scope.after(() => void (passing = setInterval(() => clock.move(500), 1)));
  const server = await startInMemory(scope, hooks as never, { ...EXPECTED, ...settings }, more);
  scope.after(() => clearInterval(passing));
  return { server, clock, rest: () => server.adapter.settle() };
}

async function kill(server: InMemoryServer, clock: StillClock): Promise<void> {
  const passing = setInterval(() => clock.move(500), 1);
  await server.running.kill();
  clearInterval(passing);
}

/** What records say of sessions. */
function told(server: InMemoryServer): string[] {
  return server.records.filter(({ session }) => session !== undefined).map((record) =>
    [record.event, record["limit"] ?? record["rule"] ?? record["reason"] ?? record["code"]]
      .filter((word) => word !== undefined).join(" ")
  );
}

const ALICE: PeerCertificate = {
  subject: "CN=alice,OU=Sales\\, East,O=Example",
  issuer: "CN=ca",
  subjectAltNames: ["DNS:alice.example.org", "email:alice@example.org"],
  fingerprint: "ab".repeat(32),
  serialNumber: "01",
  validFrom: 0,
  validTo: 4e12,
};

describe("an endpoint with TLS", () => {
  test("nothing of a session is told before its handshake is done, but that it has come", async (t) => {
    const asked: string[] = [];
    const { server, rest } = await start(t, {
      ...ECHO,
      verify: ({ remote }) => asked.push(String(remote)) > 0,
      setup: (session) => void asked.push(session.tls!.version),
    });
    const peer = server.connect();
    peer.write("early");
    await rest();
    assert.deepEqual([asked, told(server), server.live()], [[], [], 1]);
    assert.equal(peer.asked?.side, "server");
    peer.secure({ alpn: "x" });
    await rest();
    assert.match(asked[0]!, /^t/);
    assert.equal(asked[1], "TLSv1.3");
    assert.deepEqual([told(server), peer.text()], [["open"], "early"]);
    peer.end();
    await rest();
    assert.deepEqual(told(server), ["open", "close peer"]);
  });

  test("whoever is refused, is before the handshake", async (t) => {
    const { server, rest } = await start(t, ECHO, { limits: { sessions: 1 } });
    server.connect();
    const late = server.connect();
    await rest();
    assert.deepEqual([told(server), late.asked, late.over], [["refuse sessions"], undefined, true]);
  });

  test("whose turn has not come begins no handshake", async (t) => {
    const { server, rest } = await start(t, ECHO, { concurrency: { max: 1 } });
    const [first, second] = [server.connect(), server.connect()];
    first.secure();
    await rest();
    assert.equal(second.asked, undefined);
    first.end();
    await rest();
    assert.equal((second.asked as { side?: string } | undefined)?.side, "server");
    second.secure();
    second.write("b");
    await rest();
    assert.equal(second.text(), "b");
  });

  test("a handshake that fails is a refusal, with what it has failed of", async (t) => {
    const { server, rest } = await start(t, ECHO);
    const peer = server.connect();
    await rest();
    peer.failHandshake("the client does not speak TLS");
    await rest();
    const [record] = server.records.filter(({ event }) => event === "refuse");
    assert.deepEqual(
      [record!["rule"], record!["message"], record!.level],
      ["tls", "the TLS handshake failed: the client does not speak TLS", "info"],
    );
    assert.deepEqual([told(server), server.live(), server.status().refused], [
      ["refuse tls"],
      0,
      1,
    ]);
  });

  test("limits.handshake strikes", async (t) => {
    const { server, clock, rest } = await start(t, ECHO, { limits: { handshake: 1000 } });
    const peer = server.connect();
    await rest();
    clock.move(900);
    await rest();
    assert.deepEqual(told(server), []);
    clock.move(300);
    await rest();
    assert.deepEqual([told(server), peer.over, server.live()], [["refuse handshake"], true, 0]);
  });

  test("who was served before limits.handshake is not struck by it", async (t) => {
    const { server, clock, rest } = await start(t, ECHO, { limits: { handshake: 1000 } });
    const peer = server.connect();
    peer.secure();
    await rest();
    clock.move(60_000);
    await rest();
    assert.deepEqual(told(server), ["open"]);
  });

  test("a drain refuses who is in the middle of it", async (t) => {
    const { server, clock, rest } = await start(t, ECHO);
    server.connect();
    await rest();
    await kill(server, clock);
    assert.deepEqual(told(server), ["refuse drain"]);
  });

  test("nobody is spoken to in clear", async (t) => {
    const { server, rest } = await start(t, ECHO);
    const peer = server.connect();
    await rest();
    peer.failHandshake("no");
    await rest();
    assert.equal(peer.text(), "");
  });
});

describe("TLS where nobody speaks it", () => {
  const HELLO = new Uint8Array([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]);

  for (
    const [form, hooks] of [["push", ECHO], ["pull", {
      handle: (s: Session) => s.readExactly(1) as never,
    }]] as const
  ) {
    test(`${form}: a record says so, once for a session and at most once a second`, async (t) => {
      const { server, clock, rest } = await start(t, hooks as Hooks, {
        listen: ["tcp://127.0.0.1:7"],
      });
      const errors = () =>
        server.records.filter(({ event }) => event === "error").map((
          record,
        ) => [record.level, record["message"], record["suppressed"]]);
      const say = async (): Promise<void> => {
        const peer = server.connect();
        peer.write(HELLO);
        peer.write(HELLO);
        await rest();
      };
      await say();
      const message = "the client begins TLS, and tcp://127.0.0.1:7 speaks in clear";
      assert.deepEqual(errors(), [["warn", message, undefined]]);
      await say();
      await say();
      clock.move(2000);
      await say();
      assert.deepEqual(errors().slice(1), [["debug", message, undefined], [
        "debug",
        message,
        undefined,
      ], ["warn", message, 2]]);
      const other = server.connect();
      other.write("\x16");
      await rest();
      assert.equal(errors().length, 4);
    });
  }

  test("TLS in TLS is somebody's own affair", async (t) => {
    const { server, rest } = await start(t, ECHO);
    const peer = server.connect();
    peer.secure();
    peer.write(HELLO);
    await rest();
    assert.deepEqual(told(server), ["open"]);
  });
});

describe("limits.handshakes", () => {
  test("so many are under way, the others wait unread, in their order", async (t) => {
    const { server, rest } = await start(t, ECHO, { limits: { handshakes: 2 } });
    const peers = Array.from({ length: 4 }, () => server.connect());
    const asked = () => peers.map((peer) => peer.asked !== undefined);
    await rest();
    assert.deepEqual(asked(), [true, true, false, false]);
    peers[1]!.secure();
    await rest();
    assert.deepEqual(asked(), [true, false, true, false]);
    peers[0]!.failHandshake("no");
    await rest();
    assert.deepEqual(asked(), [true, false, true, true]);
  });

  test("the deadline of those that wait counts from their arrival", async (t) => {
    const { server, clock, rest } = await start(t, ECHO, {
      limits: { handshakes: 1, handshake: 400 },
    });
    server.connect();
    await rest();
    clock.move(300);
    const second = server.connect();
    await rest();
    clock.move(200);
    await rest();
    assert.deepEqual([told(server), second.asked?.side], [["refuse handshake"], "server"]);
    clock.move(300);
    await rest();
    assert.deepEqual(told(server), ["refuse handshake", "refuse handshake"]);
  });

  test("of 1,000 that are never finished one gives way, and a good client is served at once", async (t) => {
    const { server, clock, rest } = await start(t, ECHO, {
      limits: { handshakes: 1000, handshake: 10_000 },
    });
    const silent = Array.from({ length: 1000 }, () => server.connect());
    await rest();
    assert.ok(silent.every(({ asked }) => asked !== undefined));
    clock.move(600);
    const good = server.connect();
    good.write("good");
    await rest();
    good.secure();
    await rest();
    assert.equal(good.text(), "good");
    assert.deepEqual(told(server), ["refuse handshakes", "open"]);
    assert.equal(silent[0]!.over, true);
    clock.move(12_000);
    await rest();
    assert.equal(server.live(), 1);
  });

  test("a flood right now holds a good client up for half a second, not until it is refused", async (t) => {
    const { server, clock, rest } = await start(t, ECHO, {
      limits: { handshakes: 100, handshake: 10_000 },
    });
    for (let i = 0; i < 150; i++) server.connect();
    const good = server.connect();
    await rest();
    clock.move(510);
    await rest();
    assert.equal(good.asked?.side, "server");
  });

  test("a rush of good ones, each of which takes its time, is served in order: none gives way", async (t) => {
    const { server, clock, rest } = await start(t, ECHO, {
      limits: { handshakes: 4, handshake: 60_000 },
    });
    const peers = Array.from({ length: 40 }, () => server.connect());
    await rest();
    for (let round = 0; round < 10; round++) {
      // Slower and slower, as a machine does that has more and more to do.
      clock.move(Math.min(450, 50 + 60 * round));
      await rest();
      for (const peer of peers.slice(round * 4, round * 4 + 4)) peer.secure();
      await rest();
    }
    assert.deepEqual(told(server), Array.from({ length: 40 }, () => "open"));
  });
});

describe("rules about certificates", () => {
  const rule = (action: "allow" | "deny", subject: string): Access["rules"][number] => ({
    action,
    subject,
    text: subject,
  });
  const CASES:
    readonly (readonly [string, Access["rules"], Partial<PeerCertificate> | undefined, string])[] =
      [
        ["its subject", [rule("allow", "cert:subject=CN=alice,O=Example")], {}, "open"],
        ["a part with a comma in it", [rule("allow", "cert:subject=OU=Sales\\, East")], {}, "open"],
        ["another subject", [rule("allow", "cert:subject=CN=bob")], {}, "certificate not in allow"],
        [
          "a part of a name is none",
          [rule("allow", "cert:subject=CN=ali")],
          {},
          "certificate not in allow",
        ],
        ["a name", [rule("allow", "cert:san=DNS:ALICE.example.org")], {}, "open"],
        ["a wildcard", [rule("allow", "cert:san=DNS:*.example.org")], {}, "open"],
        [
          "one label, no more",
          [rule("allow", "cert:san=DNS:*.org")],
          {},
          "certificate not in allow",
        ],
        ["a mail address", [rule("allow", "cert:san=email:alice@example.org")], {}, "open"],
        ["a fingerprint", [rule("allow", `cert:fingerprint=${"AB:".repeat(31)}AB`)], {}, "open"],
        ["none was shown", [rule("allow", "cert:subject=CN=alice")], undefined, "no certificate"],
        [
          "deny wins",
          [rule("allow", "cert:subject=O=Example"), rule("deny", "cert:subject=CN=alice")],
          {},
          "deny cert:subject=CN=alice",
        ],
        ["only deny, and another", [rule("deny", "cert:subject=CN=bob")], {}, "open"],
        ["only deny, and none", [rule("deny", "cert:subject=CN=bob")], undefined, "open"],
        [
          "an address that is denied",
          [rule("deny", "127.0.0.0/8"), rule("allow", "cert:subject=CN=alice")],
          {},
          "deny 127.0.0.0/8",
        ],
        [
          "an address that is not allowed",
          [rule("allow", "10.0.0.0/8"), rule("allow", "cert:subject=CN=alice")],
          {},
          "not in allow",
        ],
        [
          "both",
          [rule("allow", "127.0.0.0/8"), rule("allow", "cert:subject=CN=alice")],
          {},
          "open",
        ],
      ];
  for (const [name, rules, shown, outcome] of CASES) {
    test(name, async (t) => {
      const others = !rules.some(({ action }) => action === "allow");
      const { server, rest } = await start(t, ECHO, { rules: { rules, others } });
      const peer = server.connect();
      await rest();
      peer.secure(shown === undefined ? {} : { peer: { ...ALICE, ...shown }, authorized: true });
      await rest();
      assert.deepEqual(told(server), [outcome === "open" ? "open" : `refuse ${outcome}`]);
    });
  }

  test("of nobody who is trusted only the fingerprint counts; deny does in any case", async (t) => {
    for (
      const [subject, action, outcome] of [
        ["cert:subject=CN=alice", "allow", "refuse certificate not in allow"],
        ["cert:san=DNS:alice.example.org", "allow", "refuse certificate not in allow"],
        [`cert:fingerprint=${"ab".repeat(32)}`, "allow", "open"],
        ["cert:subject=CN=alice", "deny", "refuse deny cert:subject=CN=alice"],
      ] as const
    ) {
      const rules = { rules: [rule(action, subject)], others: action === "deny" };
      const { server, rest } = await start(t, ECHO, { rules });
      const peer = server.connect();
      await rest();
      peer.secure({ peer: ALICE, authorized: false });
      await rest();
      assert.deepEqual(told(server), [outcome], subject);
    }
  });

  test("who speaks in clear has none", async (t) => {
    const rules = { rules: [rule("allow", "cert:subject=CN=alice")], others: false };
    const { server, rest } = await start(t, ECHO, { rules, listen: ["tcp://127.0.0.1:7"] });
    server.connect();
    await rest();
    assert.deepEqual(told(server), ["refuse no certificate"]);
  });
});

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
