/** TLS and what else a session has: limits of bytes, pauses, banners, other ways in, certificates that change, clients. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectClear, type Socket } from "node:net";
import { describe, test } from "node:test";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import type { Hooks, Session, StartContext } from "../runtime/core/plugin.ts";
import { certificates } from "./support/certificates.ts";
import { type InProcessServer, pluginOf, startHooks, startManifest } from "./support/in-process.ts";
import type { Scope } from "./support/scope.ts";
import { FixedCertificates, NO_OPTIONS } from "./support/tls.ts";
import { lackingStrategy, STRATEGIES } from "./support/strategies.ts";
import { until, within } from "./support/until.ts";

const made = certificates();
const PAIR = { cert: made.file("server"), key: made.file("server", "key") };
const TRUST = { ca: made.cert("ca"), servername: "logs.example" } as const;

/** A line protocol in pull form. */
const LINES: Hooks = {
  async handle(session: Session) {
    for await (const line of session.lines()) {
      if (line === "STARTTLS") {
        session.write("go on\n");
        await session.startTls();
      } else session.write(`${session.tls?.version ?? "clear"} ${line}\n`);
    }
  },
};

function dialClear(scope: Scope, endpoint: string): Socket {
  const socket = endpoint.startsWith("unix:")
    ? connectClear(endpoint.slice("unix:".length))
    : connectClear(Number(endpoint.split(":").at(-1)), "127.0.0.1");
  socket.on("error", () => {});
  scope.after(() => void socket.destroy());
  return socket;
}

function over(scope: Scope, socket: Socket, options: ConnectionOptions = {}): TLSSocket {
  const client = connect({ socket, ...TRUST, ...options });
  client.on("error", () => {});
  scope.after(() => void client.destroy());
  return client;
}

/** What comes, until it is `length` bytes long. */
async function read(socket: Socket, length: number): Promise<string> {
  let text = "";
  socket.on("data", (chunk) => text += String(chunk));
  await until("all of it", () => text.length >= length);
  return text;
}

async function startTls(scope: Scope, server: InProcessServer): Promise<TLSSocket> {
  const clear = dialClear(scope, server.endpoint());
  clear.write("STARTTLS\n");
  let answer = "";
  while (answer.length < 6) answer += String((await within("go on", once(clear, "data")))[0]);
  assert.equal(answer, "go on\n");
  return over(scope, clear);
}

test("of a handshake that fails it is known which of our addresses it came to", async (t) => {
  const server = await startHooks(t, LINES as never, { listen: "tls://0.0.0.0:0", tls: PAIR });
  const clear = dialClear(t, server.endpoint());
  await within("a connection", once(clear, "connect"));
  const { localPort, remotePort } = clear;
  clear.write("no handshake\n");
  await until("refuse", () => server.records.some(({ event }) => event === "refuse"));
  const refuse = server.records.find(({ event }) => event === "refuse")!;
  assert.deepEqual(
    [refuse["rule"], refuse["remote"], refuse["local"]],
    ["tls", `tls://127.0.0.1:${localPort}`, `tls://127.0.0.1:${remotePort}`],
  );
});

describe("STARTTLS beside other things", () => {
  test("limits of bytes are about what goes through TLS, and what was throttled goes out first", async (t) => {
    const server = await startHooks(t, LINES as never, {
      tls: PAIR,
      limits: { bytesPerSecond: { in: "1MiB", out: "64KiB burst 3B" }, bytes: { in: 1000 } },
    });
    const client = await startTls(t, server);
    client.write("a\n");
    assert.equal(await read(client, 10), "TLSv1.3 a\n");
    client.write("x".repeat(2000));
    await until("close", () => server.records.some(({ event }) => event === "close"));
    const close = server.records.find(({ event }) => event === "close")!;
    assert.deepEqual([close["reason"], close["bytesIn"]], ["bytes", 1000]);
  });

  test("a pause that was begun before lasts", async (t) => {
    const seen: string[] = [];
    const held = Promise.withResolvers<Session>();
    const server = await startHooks(t, {
      async data(session, chunk) {
        seen.push(new TextDecoder().decode(chunk));
        if (seen.length > 1) return;
        session.pause();
        session.write("go on\n");
        await session.startTls();
        held.resolve(session);
      },
    }, { tls: PAIR });
    const clear = dialClear(t, server.endpoint());
    clear.write("STARTTLS\n");
    await within("go on", once(clear, "data"));
    const client = over(t, clear);
    client.write("more");
    const session = await within("TLS", held.promise);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(seen, ["STARTTLS\n"]);
    session.resume();
    await until("more", () => seen.length === 2);
    assert.deepEqual(seen, ["STARTTLS\n", "more"]);
  });

  test("a banner is said in clear before STARTTLS, and by TLS on an endpoint with it", async (t) => {
    for (
      const [listen, secure] of [["tcp://127.0.0.1:0", false], ["tls://127.0.0.1:0", true]] as const
    ) {
      const server = await startHooks(t, LINES as never, { listen, tls: PAIR, banner: "hi\n" });
      const clear = dialClear(t, server.endpoint());
      assert.equal(await read(secure ? over(t, clear) : clear, 3), "hi\n");
    }
  });

  test("a banner of a refusal is said to nobody who is to hear TLS", async (t) => {
    const server = await startHooks(t, LINES as never, {
      listen: "tls://127.0.0.1:0",
      tls: PAIR,
      access: { deny: ["127.0.0.1"] },
      banner: { refuse: "no\n" },
    });
    const clear = dialClear(t, server.endpoint());
    let said = "";
    clear.on("data", (chunk) => said += String(chunk));
    await within("the end", new Promise((resolve) => clear.once("close", resolve)));
    assert.equal(said, "");
  });

  test("over a Unix socket it is the same", async (t) => {
    const server = await startHooks(t, LINES as never, { listen: "unix:./a.sock", tls: PAIR });
    const client = await startTls(t, server);
    client.write("a\n");
    assert.equal(await read(client, 10), "TLSv1.3 a\n");
  });
});

describe("clients", () => {
  /** A plugin that connects. */
  function connecting(run: (context: StartContext<unknown>) => Promise<void>) {
    return {
      ...pluginOf(LINES as never),
      start: (context: StartContext<unknown>) => {
        void run(context);
        return LINES as never;
      },
    };
  }

  test("what a plugin has opened begins TLS as a client, and knows whom it asked for", async (t) => {
    const server = await startHooks(t, LINES as never, { tls: PAIR });
    const endpoint = server.endpoint().replace("127.0.0.1", "localhost");
    const done = Promise.withResolvers<unknown>();
    await startHooks(
      t,
      connecting(async ({ connect }) => {
        try {
          const session = await connect(endpoint);
          await session.send("STARTTLS\n");
          const lines = session.lines();
          await lines.next();
          const wrong = await session.startTls({ ca: made.cert("ca") }).catch((error) =>
            error.code
          );
          const again = await connect(endpoint);
          await again.send("STARTTLS\n");
          await again.read((await import("../runtime/core/stream/codec.ts")).lines());
          const info = await again.startTls({ ca: made.cert("ca"), serverName: "logs.example" });
          await again.send("a\n");
          const answer = (await again.lines().next()).value;
          again.end();
          done.resolve([wrong, info.version, info.authorized, answer]);
        } catch (error) {
          done.reject(error);
        }
      }) as never,
    );
    // The certificate is not that of localhost.
    assert.deepEqual(await within("an answer", done.promise), [
      "TLS_FAILED",
      "TLSv1.3",
      true,
      "TLSv1.3 a",
    ]);
  });

  test("connect to tls: speaks it from the first byte on", async (t) => {
    const server = await startHooks(t, LINES as never, {
      listen: "tls://127.0.0.1:0",
      tls: { ...PAIR, alpn: "x" },
    });
    const done = Promise.withResolvers<unknown>();
    await startHooks(
      t,
      connecting(async ({ connect }) => {
        try {
          const tls = { ca: made.cert("ca"), serverName: "logs.example", alpn: ["x"] };
          const session = await connect(server.endpoint(), undefined, { tls });
          await session.send("a\n");
          const answer = (await session.lines().next()).value;
          done.resolve([
            session.tls?.version,
            session.tls?.alpn,
            String(session.remote).slice(0, 6),
            answer,
          ]);
          session.end();
        } catch (error) {
          done.reject(error);
        }
      }) as never,
    );
    assert.deepEqual(await within("an answer", done.promise), [
      "TLSv1.3",
      "x",
      "tls://",
      "TLSv1.3 a",
    ]);
  });
});

for (const strategy of STRATEGIES) {
  test(
    `certificates that change, ${strategy}: the next handshake has the new one, sessions live on`,
    {
      skip: lackingStrategy(strategy),
    },
    async (t) => {
      const fixed = new FixedCertificates({
        ...NO_OPTIONS,
        identities: [made.identity("a", "a.example")],
      });
      const tested = {
        plugin: "echo",
        listen: "tls://127.0.0.1:0",
        tls: PAIR,
        concurrency: strategy,
      };
      const server = await startManifest(t, { tested }, {}, { certificates: fixed.read });
      const shown = async (): Promise<readonly [TLSSocket, string]> => {
        await until("a turn", () => strategy !== "serial" || server.live() === 0);
        const client = over(t, dialClear(t, server.endpoint()), { servername: "a.example" });
        await within("TLS", once(client, "secureConnect"));
        return [client, client.getPeerCertificate().fingerprint256];
      };
      const [old, before] = await shown();
      if (strategy === "serial") old.destroy();
      fixed.change({ ...NO_OPTIONS, identities: [made.identity("renewed", "a.example")] });
      // Workers learn it a moment later.
      for (let tries = 0;; tries++) {
        const [client, now] = await shown();
        client.destroy();
        if (now !== before) break;
        assert.ok(tries < 100);
      }
      if (strategy === "serial") return;
      old.write("still\n");
      assert.equal(await read(old, 6), "still\n");
    },
  );
}
