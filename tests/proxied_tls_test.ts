/** TLS behind a balancer that speaks the PROXY protocol, and what the plugin proxy tells of TLS that ends with us. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { describe, test, type TestContext } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { Address } from "../runtime/core/endpoint.ts";
import { type ProxyHeader, readProxyHeader } from "../runtime/core/prologue/proxy-header.ts";
import {
  writeProxyHeader,
  writeProxyVersion2,
} from "../runtime/core/prologue/write-proxy-header.ts";
import type { TlsInfo } from "../runtime/core/tls.ts";
import { lackingFeature } from "./support/adapter.ts";
import { certificates } from "./support/certificates.ts";
import { startHooks, startManifest } from "./support/in-process.ts";
import { proxy, target } from "./support/proxied.ts";
import { until, within } from "./support/until.ts";

const made = certificates();
const TLS = { cert: made.file("server"), key: made.file("server", "key") };
const PEER = new Address("tcp", "192.0.2.7", 50000, "");
const HERE = new Address("tcp", "198.51.100.1", 443, "");
const HEADER = writeProxyVersion2(PEER, HERE);

async function raw(t: TestContext, endpoint: string): Promise<Socket> {
  const socket = connect(Number(/\d+$/.exec(endpoint)![0]), "127.0.0.1").on("error", () => {});
  t.after(() => void socket.destroy());
  await within("a connection", once(socket, "connect"));
  return socket;
}

async function secured(t: TestContext, socket: Socket, more: object = {}): Promise<TLSSocket> {
  const tls = connectTls({ socket, host: "127.0.0.1", ca: made.cert("ca"), ...more });
  tls.on("error", () => {});
  t.after(() => void tls.destroy());
  await within("a handshake", once(tls, "secureConnect"));
  return tls;
}

/** Waits for what it is told. */
async function hears(socket: Socket, what: string): Promise<string> {
  let text = "";
  const hear = (more: Uint8Array): void => void (text += String(Buffer.from(more)));
  socket.on("data", hear);
  await until(() => `${what}: ${JSON.stringify(text)}`, () => text.includes(what));
  socket.off("data", hear);
  return text;
}

describe("TLS behind the PROXY protocol", { skip: lackingFeature("descriptors") }, () => {
  test("a handshake begins behind the header, at once or later", async (t) => {
    const server = await startHooks(t, {
      data(session) {
        session.write(`${session.remote} ${session.tls?.version} ${session.via?.version}\n`);
      },
    }, { listen: "tls://127.0.0.1:0", tls: TLS, proxyProtocol: { from: ["127.0.0.1"] } });
    for (const late of [false, true]) {
      const socket = await raw(t, server.endpoint());
      await new Promise<void>((sent) => void socket.write(HEADER, () => sent()));
      if (late) await new Promise((soon) => setTimeout(soon, 20));
      const tls = await secured(t, socket);
      tls.write("who");
      assert.equal(await hears(tls, "\n"), "tls://192.0.2.7:50000 TLSv1.3 2\n");
      tls.destroy();
    }
    await server.count(2, { event: "close" });
  });

  test("and in the middle of a session: STARTTLS of who was told of", async (t) => {
    const server = await startHooks(t, {
      async handle(session) {
        for await (const line of session.lines()) {
          if (line !== "STARTTLS") return void session.end(`${session.remote} ${line}\n`);
          await session.send("go\n");
          await session.startTls();
          await session.send(`${session.remote} ${session.tls?.version}\n`);
        }
      },
    }, { listen: "tcp://127.0.0.1:0", tls: TLS, proxyProtocol: { from: ["127.0.0.1"] } });
    const socket = await raw(t, server.endpoint());
    socket.write(Buffer.concat([HEADER, Buffer.from("STARTTLS\n")]));
    await hears(socket, "go\n");
    const tls = await secured(t, socket);
    assert.equal(await hears(tls, "\n"), "tcp://192.0.2.7:50000 TLSv1.3\n");
    tls.write("bye\n");
    assert.equal(await hears(tls, "\n"), "tcp://192.0.2.7:50000 bye\n");
    // What was said in clear behind the command is not taken for what is said over TLS.
    const injecting = await raw(t, server.endpoint());
    injecting.write(Buffer.concat([HEADER, Buffer.from("STARTTLS\nevil\n")]));
    let text = "";
    injecting.on("data", (more) => text += String(more));
    await until("the end", () => injecting.closed);
    assert.doesNotMatch(text, /evil/);
  });

  test("the plugin proxy tells its target what the client has agreed on with us", async (t) => {
    const heard: Uint8Array[] = [];
    const { endpoint } = await target(t, (socket) => {
      socket.on("data", (chunk) => heard.push(chunk as Uint8Array));
    });
    const tls = { ...TLS, ca: made.file("ca"), clientCertificate: "request", alpn: ["mine"] };
    const service = { listen: "tls://127.0.0.1:0", tls };
    const server = await startManifest(t, proxy(endpoint, { proxyProtocol: 2 }, service));
    const socket = await secured(t, await raw(t, server.endpoint("proxy")), {
      servername: "logs.example",
      ALPNProtocols: ["mine"],
      cert: made.cert("client"),
      key: readFileSync(made.file("client", "key")),
    });
    socket.write("x");
    await until("the byte", () => heard.at(-1)?.at(-1) === 120);
    const { values } = readProxyHeader(Buffer.concat(heard)) as ProxyHeader;
    assert.deepEqual([values.alpn, values.authority], ["mine", "logs.example"]);
    const { certificate, verified, version, commonName, cipher } = values.tls!;
    assert.deepEqual([certificate, verified, commonName], [true, true, "client"]);
    assert.equal(version, "TLSv1.3");
    assert.match(String(cipher), /^TLS_/);
  });
});

test("a common name is that of its own attribute, whatever others look like", () => {
  const names: readonly (readonly [subject: string, name: string | undefined])[] = [
    ["CN=alice,O=Example", "alice"],
    ["O=x\\,CN=admin,CN=eve", "eve"],
    ["O=x\\,CN=admin", undefined],
    ["O=x\\\\,CN=real", "real"],
    ["OU=a+CN=both,O=c", "both"],
    ["CN=J\\C3\\BCrgen\\, the first", "Jürgen, the first"],
    ["CN=", ""],
  ];
  for (const [subject, name] of names) {
    const peer = { subject } as TlsInfo["peer"];
    const tls: TlsInfo = {
      version: "TLSv1.3",
      cipher: "c",
      resumed: false,
      peer: peer!,
      authorized: true,
    };
    const client = { remote: PEER, local: HERE, tls };
    const { values } = readProxyHeader(writeProxyHeader(client, { version: 2 })) as ProxyHeader;
    assert.equal(values.tls!.commonName, name, subject);
  }
});
