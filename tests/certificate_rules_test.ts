/** Rules about certificates hold for whatever a plugin listens on at run time, too, under every strategy. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectClear, type Socket } from "node:net";
import { describe, test } from "node:test";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { certificates } from "./support/certificates.ts";
import { type InProcessServer, startManifest } from "./support/in-process.ts";
import type { Scope } from "./support/scope.ts";
import { lackingStrategy, SAMPLE } from "./support/strategies.ts";
import { within } from "./support/until.ts";

const made = certificates();
const MINE = { cert: made.cert("client"), key: made.key("client") };
const TLS = {
  cert: made.file("server"),
  key: made.file("server", "key"),
  clientCertificate: "request",
  ca: made.file("ca"),
};

/** Opens a listener for each session, and says where; whoever comes there begins TLS at once. */
const OPEN = `
export default {
  name: "open",
  transports: ["stream"],
  start: ({ listen }) => ({
    async handle(session) {
      const mine = await listen("tcp://127.0.0.1:0", {
        async handle(guest) {
          guest.write("go on\\n");
          await guest.startTls();
          for await (const line of guest.lines()) guest.write("served " + line + "\\n");
        },
      });
      session.write(mine.address.port + "\\n");
      for await (const _ of session);
      await mine.close();
    },
  }),
};
`;

function over(scope: Scope, socket: Socket, more: ConnectionOptions): TLSSocket {
  const options = { socket, ca: made.cert("ca"), servername: "logs.example", ...more };
  const secure = connect(options);
  secure.on("error", () => {});
  scope.after(() => void secure.destroy());
  return secure;
}

function dial(scope: Scope, port: number): Socket {
  const socket = connectClear(port, "127.0.0.1");
  socket.on("error", () => {});
  scope.after(() => void socket.destroy());
  return socket;
}

async function next(socket: Socket): Promise<string> {
  return String((await within("an answer", once(socket, "data")))[0]);
}

/** A service with these rules, and the port that its plugin has opened for whoever shows `shown`. */
async function opened(
  scope: Scope,
  concurrency: string,
  access: object,
  shown: ConnectionOptions,
): Promise<readonly [InProcessServer, number]> {
  const tested = {
    plugin: "./open.mjs",
    listen: "tls://127.0.0.1:0",
    concurrency,
    tls: TLS,
    access,
  };
  const server = await startManifest(scope, { tested }, { "open.mjs": OPEN });
  const control = over(scope, dial(scope, Number(server.endpoint().split(":").at(-1))), shown);
  return [server, Number(await next(control))];
}

for (const name of SAMPLE) {
  describe(`what a plugin listens on, ${name}`, { skip: lackingStrategy(name) }, () => {
    test("who shows no certificate is not let in by a rule about one", async (t) => {
      const allow = ["cert:subject=CN=client"];
      const [server, port] = await opened(t, name, { allow }, MINE);
      const guest = dial(t, port);
      guest.resume();
      await within("the end", once(guest, "close"));
      assert.equal((await server.record("refuse"))["rule"], "no certificate");
      assert.equal(guest.bytesRead, 0);
    });

    test("whose certificate is denied is cut when TLS has begun; others are served", async (t) => {
      const deny = ["cert:subject=CN=client"];
      const [server, port] = await opened(t, name, { deny }, {});
      const denied = dial(t, port);
      assert.equal(await next(denied), "go on\n");
      const cut = over(t, denied, MINE);
      cut.resume();
      await within("the end", once(cut, "close"));
      assert.equal((await server.record("close"))["reason"], "access");
      const other = dial(t, port);
      assert.equal(await next(other), "go on\n");
      const served = over(t, other, {});
      served.write("x\n");
      assert.equal(await next(served), "served x\n");
    });
  });
}
