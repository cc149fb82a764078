/** The plugin proxy with targets that speak TLS. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { createServer, TLSSocket } from "node:tls";
import { certificates } from "./support/certificates.ts";
import { startManifest } from "./support/in-process.ts";
import { dial } from "./support/peers.ts";
import { empty, proxy } from "./support/proxied.ts";
import { pluginPath } from "./support/server-process.ts";

const server = () => ({
  cert: certificates().cert("server"),
  key: certificates().key("server"),
  ca: certificates().cert("ca"),
});
const CA = (): string => certificates().file("ca");

/** A target of TLS that wants to know who comes. */
async function target(t: TestContext, more: object = {}): Promise<string> {
  const listener = createServer({
    ...server(),
    requestCert: true,
    ALPNProtocols: ["told"],
    ...more,
  }, (socket: TLSSocket) => {
    socket.on("error", () => {});
    const { subject } = socket.getPeerCertificate();
    const name = (socket as { servername?: string | false }).servername;
    socket.write(`${name} ${socket.alpnProtocol} ${subject?.CN ?? "nobody"}\n`);
    socket.pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  t.after(() => void listener.close());
  listener.on("tlsClientError", () => {});
  return `tls://127.0.0.1:${(listener.address() as AddressInfo).port}`;
}

test("proxy: over TLS, with names, protocols, and a certificate of its own", async (t) => {
  const to = await target(t);
  const own = {
    serverName: "logs.example",
    alpn: ["told"],
    cert: certificates().file("client"),
    key: certificates().file("client", "key"),
  };
  const running = await startManifest(t, proxy(to, { tls: { ca: CA(), ...own } }));
  const peer = await dial(t, running.endpoint("proxy"));
  await peer.hears("logs.example told client\n");
  peer.socket.end("back");
  await peer.when("the end", () => peer.ended);
  assert.equal(peer.text, "logs.example told client\nback");
  await empty(running);
});

test("proxy: a target that cannot show a certificate that is trusted is none", async (t) => {
  const to = await target(t);
  const running = await startManifest(t, proxy(to));
  const peer = await dial(t, running.endpoint("proxy"));
  await peer.when("the end", () => peer.ended);
  assert.equal(peer.text, "");
  await running.record({ event: "error", code: "TLS_FAILED" });
});

test("proxy: the PROXY header comes in clear, before TLS", async (t) => {
  const inner = await startManifest(t, {
    inner: {
      plugin: pluginPath("via"),
      listen: "tls://127.0.0.1:0",
      tls: { cert: certificates().file("server"), key: certificates().file("server", "key") },
      proxyProtocol: { from: ["127.0.0.1"] },
    },
  });
  const port = /\d+$/.exec(inner.endpoint("inner"))![0];
  for (const version of [1, 2]) {
    const options = { tls: { ca: CA() }, proxyProtocol: version };
    const running = await startManifest(t, proxy(`tls://127.0.0.1:${port}`, options));
    const peer = await dial(t, running.endpoint("proxy"));
    await peer.hears(`"version":${version}`);
    peer.socket.end();
    await peer.when("the end", () => peer.ended);
    await empty(running);
  }
});
