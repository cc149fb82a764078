/** HTTP behind a balancer that speaks the PROXY protocol, in clear and over TLS. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, test, type TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import { lackingFeature } from "./support/adapter.ts";
import { certificates } from "./support/certificates.ts";
import { type InProcessServer, startHooks } from "./support/in-process.ts";
import { until, within } from "./support/until.ts";

const made = certificates();
const TLS = { cert: made.file("server"), key: made.file("server", "key") };
const V1 = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n";

async function serve(
  t: TestContext,
  scheme: string,
  service: Readonly<Record<string, unknown>> = {},
): Promise<InProcessServer> {
  return await startHooks(t, {
    async fetch(request, { session }) {
      const body = await request.text();
      const { remote, local, via, tls } = session;
      return Response.json({
        url: request.url,
        body,
        remote: String(remote),
        local: String(local),
        via: via && String(via.remote),
        tls: tls?.version,
      });
    },
  }, {
    listen: `${scheme}://127.0.0.1:0`,
    proxyProtocol: { from: ["127.0.0.1"] },
    ...(scheme === "https" && { tls: TLS }),
    ...service,
  });
}

/** A balancer's connection, and what is said on it behind the header. */
async function balanced(
  t: TestContext,
  server: InProcessServer,
  header: string,
): Promise<{ readonly raw: Socket; readonly socket: Socket }> {
  const { port, protocol } = new URL(server.endpoint());
  const raw = connect(Number(port), "127.0.0.1").on("error", () => {});
  t.after(() => void raw.destroy());
  await within("a connection", once(raw, "connect"));
  raw.write(header);
  if (protocol === "http:") return { raw, socket: raw };
  const socket = connectTls({ socket: raw, host: "127.0.0.1", ca: made.cert("ca") });
  socket.on("error", () => {});
  return { raw, socket };
}

/** Whether by an end or by a reset. */
async function closed(socket: Socket): Promise<void> {
  await within("the close", new Promise((resolve) => socket.once("close", resolve)));
}

/** Asks twice on one connection: what the last answer says. */
async function ask(socket: Socket): Promise<Record<string, unknown>> {
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
  for (const path of ["/one", "/two"]) {
    text = "";
    const head = `POST ${path} HTTP/1.1\r\nHost: example.org\r\nContent-Length: 5\r\n\r\nhello`;
    socket.write(head);
    await until(`the answer to ${path}`, () => /\}(\r\n0)?\s*$/.test(text));
  }
  return JSON.parse(/\{.*\}/s.exec(text)![0]);
}

for (const scheme of ["http", "https"]) {
  describe(`${scheme} behind a balancer`, { skip: lackingFeature("descriptors") }, () => {
    test("a request is one of the peer that the balancer tells of", async (t) => {
      const server = await serve(t, scheme);
      const { socket } = await balanced(t, server, V1);
      const answer = await ask(socket);
      assert.equal(answer["url"], `${scheme}://example.org/two`);
      assert.equal(answer["body"], "hello");
      assert.equal(answer["remote"], "tcp://192.0.2.7:4711");
      assert.equal(answer["local"], "tcp://198.51.100.1:443");
      assert.match(String(answer["via"]), /^tcp:\/\/127\.0\.0\.1:\d+$/);
      assert.equal(answer["tls"], scheme === "https" ? "TLSv1.3" : undefined);
      const open = await server.record("open");
      assert.equal(open.remote, "tcp://192.0.2.7:4711");
      assert.match(String(open["via"]), /^tcp:\/\/127\.0\.0\.1:\d+$/);
    });

    test("a header that comes in pieces is waited for, one that does not come is refused", async (t) => {
      const server = await serve(t, scheme, {
        // Letter by letter it takes longer than that on a busy machine.
        proxyProtocol: { from: ["127.0.0.1"], wait: scheme === "http" ? "20s" : "300ms" },
      });
      const { raw, socket } = await balanced(t, server, "");
      if (scheme === "http") {
        for (const letter of V1) {
          raw.write(letter);
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        assert.equal((await ask(socket))["remote"], "tcp://192.0.2.7:4711");
      } else {
        socket.resume();
        await closed(raw);
        assert.equal((await server.record("refuse")).limit, "proxyProtocol");
      }
    });

    test("who may not tell of anybody is refused, and rules are about who was told of", async (t) => {
      const liar = await serve(t, scheme, { proxyProtocol: { from: ["192.0.2.1"] } });
      const { raw, socket } = await balanced(t, liar, V1);
      socket.resume();
      await closed(raw);
      assert.equal((await liar.record("refuse")).rule, "proxyProtocol");
      const server = await serve(t, scheme, { access: { deny: ["192.0.2.0/24"] } });
      const other = await balanced(t, server, V1);
      let text = "";
      other.socket.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
      other.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      await until("the answer", () => text.startsWith("HTTP/1.1 403"));
    });

    test("it stops: what is under way is answered, idle connections are closed", async (t) => {
      const server = await serve(t, scheme);
      const { raw, socket } = await balanced(t, server, V1);
      await ask(socket);
      const silent = await balanced(t, server, "PROXY TCP4 ");
      const ends = [closed(raw), closed(silent.raw.resume())];
      await within("the stop", server.running.stop());
      await Promise.all(ends);
    });
  });
}
