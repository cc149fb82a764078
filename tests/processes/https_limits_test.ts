/** Limits and records of requests are over https what they are over http. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { test, type TestContext } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { certificates } from "../support/certificates.ts";
import { folder } from "../support/folder.ts";
import { manifest, type ServerProcess, startServer } from "../support/server-process.ts";
import { until, within } from "../support/until.ts";

const made = certificates();
const TRUST = { ca: made.cert("ca"), servername: "logs.example", host: "127.0.0.1" } as const;

const APP = `export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/never") return await new Promise(() => {});
    if (pathname === "/big") return new Response(new Uint8Array(300_000));
    if (pathname === "/endless") {
      return new Response(new ReadableStream({
        pull(controller) { controller.enqueue(new Uint8Array(65536)); },
      }), { headers: { "content-type": "text/event-stream" } });
    }
    return new Response(String((await request.arrayBuffer()).byteLength));
  },
};`;

async function start(t: TestContext, services: Readonly<Record<string, object>>) {
  const all = Object.entries(services).map(([name, service]) => [name, {
    plugin: "http",
    listen: "https://127.0.0.1:0",
    options: { app: "./app.mjs" },
    tls: { cert: made.file("server"), key: made.file("server", "key") },
    ...service,
  }]);
  const home = folder(t, {
    "app.mjs": APP,
    "portico.json": manifest(Object.fromEntries(all)),
  });
  return await startServer(t, home);
}

const portOf = (server: ServerProcess, service = "web"): number =>
  Number(new URL(server.endpoint(service, "https")).port);

async function ask(
  server: ServerProcess,
  path: string,
  { body, ...options }: { readonly body?: Uint8Array; readonly method?: string } = {},
  service?: string,
): Promise<{ readonly status: number | undefined; readonly body: Uint8Array }> {
  const port = portOf(server, service);
  const sent = request({ ...TRUST, port, path, agent: false, ...options });
  sent.end(body);
  const [answer] = await within("an answer", once(sent, "response")) as [IncomingMessage];
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer) chunks.push(chunk);
  const whole = new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
  return { status: answer.statusCode, body: whole };
}

/** A connection on which this was said. */
function say(t: TestContext, server: ServerProcess, text: string): TLSSocket {
  const socket = connect({ ...TRUST, port: portOf(server) });
  t.after(() => void socket.destroy());
  socket.on("error", () => {});
  socket.write(text);
  return socket;
}

test("https: the open record has what fields asks of TLS, and no other service's has", async (t) => {
  const server = await start(t, {
    asked: { log: { type: "json", level: "debug", fields: ["tls"] } },
    silent: { log: { type: "json", level: "debug" } },
  });
  const fields = async (service: string): Promise<Record<string, unknown>> => {
    assert.equal((await ask(server, "/", {}, service)).status, 200);
    const record = await server.record({ event: "open", service });
    return Object.fromEntries(Object.entries(record).filter(([name]) => name.startsWith("tls")));
  };
  const { tlsCipher, ...asked } = await fields("asked");
  assert.match(String(tlsCipher), /^TLS_/);
  assert.deepEqual(asked, {
    tlsVersion: "TLSv1.3",
    tlsServerName: "logs.example",
    tlsResumed: false,
  });
  assert.deepEqual(await fields("silent"), {});
  await server.stop();
});

test("https: bytesPerSecond holds, and all comes whole", async (t) => {
  const server = await start(t, { web: { limits: { bytesPerSecond: "1MB" } } });
  const timed = async (path: string, body?: Uint8Array): Promise<[Uint8Array, number]> => {
    const begin = performance.now();
    const options = body === undefined ? {} : { method: "POST", body };
    const answer = await ask(server, path, options);
    return [answer.body, performance.now() - begin];
  };
  // A second's worth may come at once at the most, and some of it has been saved up: a tenth of one.
  const [big, out] = await timed("/big");
  assert.equal(big.length, 300_000);
  assert.ok(out >= 190, `${out} ms`);
  const [said, came] = await timed("/", new Uint8Array(300_000));
  assert.equal(new TextDecoder().decode(said), "300000");
  assert.ok(came >= 190, `${came} ms`);
  await server.stop();
});

test("https: a request that takes too long ends by lifetime", async (t) => {
  const server = await start(t, { web: { limits: { lifetime: "300ms" } } });
  assert.equal((await ask(server, "/never")).status, 503);
  const { reason, status } = await server.record({ event: "close", service: "web" });
  assert.deepEqual([reason, status], ["lifetime", 503]);
  assert.equal((await ask(server, "/")).status, 200);
  await server.stop();
});

test("https: a body that trickles in ends by progress", async (t) => {
  const server = await start(t, { web: { limits: { progress: "256B/500ms" } } });
  const socket = say(t, server, "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n");
  let text = "";
  socket.on("data", (chunk) => text += String(chunk));
  const timer = setInterval(() => socket.write("x"), 100);
  t.after(() => clearInterval(timer));
  await server.record({ event: "close", method: "POST", reason: "progress" });
  await until("the answer", () => text.startsWith("HTTP/1.1 503 "));
  const whole = await ask(server, "/", { method: "POST", body: new Uint8Array(1000) });
  assert.equal(new TextDecoder().decode(whole.body), "1000");
  await server.stop();
});

test("https: an answer that nobody reads ends by progress", {
  skip: "Deno" in globalThis && "the HTTP server of this runtime tells nothing of what is not read",
}, async (t) => {
  const server = await start(t, { web: { limits: { progress: "256B/500ms" } } });
  const deaf = say(t, server, "GET /endless HTTP/1.1\r\nhost: x\r\n\r\n");
  deaf.pause();
  await server.record({ event: "close", method: "GET", reason: "progress" });
  await server.stop();
});
