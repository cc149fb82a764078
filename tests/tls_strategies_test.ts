/** TLS under every strategy, with real clients: what they, the plugin and the records see is the same. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectClear, type Socket } from "node:net";
import { describe, test } from "node:test";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import type { LogRecord } from "../runtime/core/record.ts";
import { certificates } from "./support/certificates.ts";
import { type InProcessServer, startManifest } from "./support/in-process.ts";
import type { Scope } from "./support/scope.ts";
import { lackingStrategy, STRATEGIES } from "./support/strategies.ts";
import { until, within } from "./support/until.ts";

const made = certificates();
const PAIR = { cert: made.file("server"), key: made.file("server", "key") };

/** Says what it sees of TLS, then sends back what it gets. */
const TELL = `
export default {
  name: "tell",
  transports: ["stream"],
  start: () => ({
    setup({ tls, remote, local }) {
      return [tls?.version, tls?.serverName, tls?.alpn, tls?.peer?.subject, tls?.authorized, remote.transport, local.transport];
    },
    data(session, chunk) {
      session.write(JSON.stringify(session.state) + " " + new TextDecoder().decode(chunk));
    },
  }),
};
`;

async function start(
  scope: Scope,
  concurrency: string,
  service: Readonly<Record<string, unknown>>,
  plugin = TELL,
): Promise<InProcessServer> {
  const tested = { plugin: "./tell.mjs", listen: "tls://127.0.0.1:0", concurrency, ...service };
  return await startManifest(scope, { tested }, { "tell.mjs": plugin });
}

function dial(scope: Scope, server: InProcessServer, options: ConnectionOptions = {}): TLSSocket {
  const port = Number(server.endpoint().split(":").at(-1));
  const socket = connect({
    port,
    host: "127.0.0.1",
    ca: made.cert("ca"),
    servername: "logs.example",
    ...options,
  });
  socket.on("error", () => {});
  scope.after(() => void socket.destroy());
  return socket;
}

async function ask(socket: TLSSocket, text: string): Promise<string> {
  socket.write(text);
  const [answer] = await within("an answer", once(socket, "data"));
  return String(answer);
}

/** However it comes about. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

/** The record of the only session, when it is there. */
async function recordOf(server: InProcessServer, event: string): Promise<LogRecord> {
  const find = (): LogRecord | undefined => server.records.find((each) => each.event === event);
  await until(event, () => find() !== undefined);
  return find()!;
}

for (const name of STRATEGIES) {
  describe(`TLS, ${name}`, { skip: lackingStrategy(name) }, () => {
    test("a client is served, and its plugin sees who it is", async (t) => {
      const server = await start(t, name, {
        tls: { ...PAIR, alpn: ["x", "y"], clientCertificate: "request", ca: made.file("ca") },
      });
      const client = dial(t, server, {
        ALPNProtocols: ["y", "z"],
        cert: made.cert("client"),
        key: made.key("client"),
      });
      assert.equal(
        await ask(client, "hello"),
        '["TLSv1.3","logs.example","y","CN=client",true,"tls","tls"] hello',
      );
      const { remote, local, ...fields } = await recordOf(server, "open");
      assert.deepEqual(
        [
          fields["tlsVersion"],
          fields["tlsServerName"],
          fields["tlsAlpn"],
          fields["tlsPeer"],
          fields["tlsResumed"],
        ],
        ["TLSv1.3", "logs.example", "y", "CN=client", false],
      );
      assert.match(String(fields["tlsCipher"]), /^TLS_AES_/);
      assert.match(`${remote} ${local}`, /^tls:\/\/127\.0\.0\.1:\d+ tls:\/\/127\.0\.0\.1:\d+$/);
      client.end();
      assert.equal((await recordOf(server, "close"))["reason"], "peer");
      assert.equal(server.live(), 0);
    });

    test("whoever shows no certificate, and needs one, is refused with a record", async (t) => {
      const server = await start(t, name, {
        tls: { ...PAIR, clientCertificate: "require", ca: made.file("ca") },
      });
      dial(t, server);
      const { rule, message, level } = await recordOf(server, "refuse");
      assert.deepEqual([rule, level], ["tls", "info"]);
      assert.match(String(message), /the client has shown no certificate/);
    });

    test("whoever speaks in clear is closed, with a record that says so", async (t) => {
      const server = await start(t, name, { tls: PAIR });
      const port = Number(server.endpoint().split(":").at(-1));
      const socket = connectClear({ port, host: "127.0.0.1" });
      t.after(() => void socket.destroy());
      socket.on("error", () => {});
      socket.resume();
      socket.write("EHLO me\r\n");
      await within("the end", closeOf(socket));
      const { message } = await recordOf(server, "refuse");
      assert.match(String(message), /the client does not speak TLS/);
    });

    test("whoever says nothing is struck by limits.handshake", async (t) => {
      const server = await start(t, name, { tls: PAIR, limits: { handshake: "100ms" } });
      const port = Number(server.endpoint().split(":").at(-1));
      const socket = connectClear({ port, host: "127.0.0.1" });
      t.after(() => void socket.destroy());
      socket.on("error", () => {});
      socket.resume();
      await within("the end", closeOf(socket));
      assert.equal((await recordOf(server, "refuse"))["limit"], "handshake");
    });

    test("a rule about certificates lets in whom it is about", async (t) => {
      const server = await start(t, name, {
        tls: { ...PAIR, clientCertificate: "request", ca: made.file("ca") },
        access: { allow: ["cert:subject=CN=client"] },
      });
      const mine = { cert: made.cert("client"), key: made.key("client") };
      const client = dial(t, server, mine);
      assert.match(await ask(client, "a"), /CN=client.* a$/);
      client.destroy();
      dial(t, server);
      assert.equal((await recordOf(server, "refuse"))["rule"], "no certificate");
    });

    test("STARTTLS: in clear, then by TLS; what comes before is refused", async (t) => {
      const server = await start(t, name, { listen: "tcp://127.0.0.1:0", tls: PAIR }, STARTTLS);
      const port = Number(server.endpoint().split(":").at(-1));
      const clear = connectClear({ port, host: "127.0.0.1" });
      clear.on("error", () => {});
      clear.write("STARTTLS\n");
      assert.equal(String((await within("go on", once(clear, "data")))[0]), "go on\n");
      const client = dial(t, server, { socket: clear });
      assert.equal(await ask(client, "a\n"), "TLSv1.3 a\n");
      client.destroy();
      const attacker = connectClear({ port, host: "127.0.0.1" });
      t.after(() => void attacker.destroy());
      attacker.on("error", () => {});
      attacker.resume();
      attacker.write("STARTTLS\nRSET\n");
      await within("the end", closeOf(attacker));
      await until("close", () => server.records.some((each) => each["code"] === "TLS_INJECTION"));
      await until("nobody", () => server.live() === 0);
    });
  });
}

const STARTTLS = `
export default {
  name: "starttls",
  transports: ["stream"],
  start: () => ({
    async handle(session) {
      for await (const line of session.lines()) {
        if (line !== "STARTTLS") session.write((session.tls?.version ?? "clear") + " " + line + "\\n");
        else {
          session.write("go on\\n");
          await session.startTls();
        }
      }
    },
  }),
};
`;
