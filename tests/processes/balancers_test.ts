/** Behind balancers that others have made: whom haproxy and nginx tell of, by each version of the PROXY protocol. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { connect as connectTls } from "node:tls";
import { parseEndpoint } from "../../runtime/core/endpoint.ts";
import { lackingFeature } from "../support/adapter.ts";
import { listening, startNginx } from "../support/balancers.ts";
import { certify } from "../support/certificates.ts";
import { folder } from "../support/folder.ts";
import { lackingPrograms } from "../support/packages.ts";
import { freePort } from "../support/ports.ts";
import { Program, shell } from "../support/program.ts";
import { manifest, pluginPath, startServer } from "../support/server-process.ts";

/** What is said to whoever connects, once it has said a line. */
function ask(port: number, from: string, tls?: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const to = { host: "127.0.0.1", port, localAddress: from };
    const raw = connect(to);
    const socket = tls === undefined
      ? raw
      : connectTls({ socket: raw, rejectUnauthorized: false, ...tls });
    let text = "";
    raw.on("error", reject);
    socket.on("error", reject);
    socket.setEncoding("utf8").on("data", (more: string) => {
      text += more;
      if (text.endsWith("\nhello")) socket.end();
    });
    socket.on("close", () => resolve(text));
    socket.write("hello");
  });
}

const FROM = { from: ["127.0.0.0/8"], wait: "20s" };

test("haproxy: versions 1 and 2, and what it says of TLS that ends there", {
  skip: lackingFeature("descriptors") || lackingPrograms("haproxy", "openssl"),
}, async (t) => {
  const service = (concurrency: string | object): object => ({
    plugin: pluginPath("via"),
    listen: "tcp://127.0.0.1:0",
    concurrency,
    proxyProtocol: FROM,
  });
  const workers = { strategy: "processes", workers: 1 };
  const home = folder(t, {
    "portico.json": manifest({ a: service("async"), p: service(workers) }),
  });
  certify(home);
  const read = (name: string): string => readFileSync(join(home, name), "utf8");
  const server = await startServer(t, home);
  const portOf = (name: string): number =>
    (parseEndpoint(server.endpoint(name, "tcp")) as { port: number }).port;
  for (const name of ["a", "p"]) {
    const [v1, v2, tls] = [await freePort(), await freePort(), await freePort()];
    writeFileSync(join(home, "both.pem"), read("server.pem") + read("server.key"));
    const backend = (send: string): string => `  server s 127.0.0.1:${portOf(name)} ${send}\n`;
    const options = "ssl,cert-cn,authority,unique-id,crc32c";
    writeFileSync(
      join(home, "haproxy.cfg"),
      `defaults
  mode tcp
  timeout connect 5s
  timeout client 20s
  timeout server 20s
listen v1
  bind 127.0.0.1:${v1}
${backend("send-proxy")}
listen v2
  bind 127.0.0.1:${v2}
${backend("send-proxy-v2 proxy-v2-options crc32c")}
listen tls
  bind 127.0.0.1:${tls} ssl crt ${join(home, "both.pem")} ca-file ${
        join(home, "ca.pem")
      } verify optional
  unique-id-format %Ts
${backend(`send-proxy-v2-ssl-cn proxy-v2-options ${options}`)}`,
    );
    const haproxy = new Program(t, home, "haproxy", "-f", "haproxy.cfg");
    await listening(tls, haproxy);
    const told =
      /^tcp:\/\/127\.0\.0\.5:\d+ at tcp by \{"remote":"127\.0\.0\.1","local":"tcp","version":(\d)\}\nhello$/;
    assert.equal(told.exec(await ask(v1, "127.0.0.5"))?.[1], "1");
    assert.equal(told.exec(await ask(v2, "127.0.0.5"))?.[1], "2");
    const client = { cert: read("client.pem"), key: read("client.key") };
    const text = await ask(tls, "127.0.0.6", { servername: "logs.example", ...client });
    const way = JSON.parse(/ by (.*)\n/.exec(text)![1]!);
    assert.match(text, /^tcp:\/\/127\.0\.0\.6:\d+ at tcp/);
    assert.equal(way.authority, "logs.example");
    assert.match(way.uniqueId, /^3\d/);
    assert.equal(way.tls.commonName, "client");
    assert.deepEqual([way.tls.certificate, way.tls.verified], [true, true]);
    assert.match(way.tls.version, /^TLSv1\.[23]$/);
  }
  await server.stop();
});

test("nginx: version 1, from its module for streams", {
  skip: lackingFeature("descriptors") || lackingPrograms("nginx"),
}, async (t) => {
  const s = { plugin: pluginPath("via"), listen: "tcp://127.0.0.1:0", proxyProtocol: FROM };
  const home = folder(t, { "portico.json": manifest({ s }) });
  const server = await startServer(t, home);
  const port = await freePort();
  const target = server.endpoint("s", "tcp").slice("tcp://".length);
  const way = `listen 127.0.0.1:${port}; proxy_pass ${target}; proxy_protocol on;`;
  await startNginx(t, home, port, way);
  assert.match(
    await ask(port, "127.0.0.7"),
    /^tcp:\/\/127\.0\.0\.7:\d+ at tcp by \{"remote":"127\.0\.0\.1","local":"tcp","version":1\}\nhello$/,
  );
  await server.stop();
});

test("examples/haproxy: clients are told of, turned away by a rule, and refused past it", {
  skip: lackingFeature("descriptors") || lackingPrograms("haproxy", "nc"),
}, async (t) => {
  const example = fileURLToPath(new URL("../../examples/haproxy/", import.meta.url).href);
  const text = (name: string): string => readFileSync(join(example, name), "utf8");
  const home = folder(t, { "portico.json": text("portico.json").replace("1:7150", "1:0") });
  const server = await startServer(t, home);
  const { port } = parseEndpoint(server.endpoint("echo", "tcp")) as { port: number };
  const front = await freePort();
  const config = text("haproxy.cfg").replace("7151", `${front}`).replace("7150", `${port}`);
  writeFileSync(join(home, "haproxy.cfg"), config);
  const haproxy = new Program(t, home, "haproxy", "-f", "haproxy.cfg");
  await listening(front, haproxy);
  const say = (way: string): Promise<string> => shell(t, home, `printf hello | nc -N ${way}`);
  assert.equal(await say(`-s 127.0.0.8 127.0.0.1 ${front}`), "hello");
  const { via } = await server.record({ event: "open", remote: /127\.0\.0\.8/ });
  assert.match(String(via), /^tcp:\/\/127\.0\.0\.1:/);
  assert.equal(await say(`-s 127.0.0.9 127.0.0.1 ${front}`), "");
  await server.record({ event: "refuse", rule: "deny 127.0.0.9" });
  assert.equal(await say(`-s 127.0.0.8 127.0.0.1 ${port}`), "");
  await server.record({ event: "refuse", rule: "proxyProtocol", remote: /127\.0\.0\.8/ });
  // Its health checks are sessions of its own.
  await server.record({ event: "open", remote: /127\.0\.0\.1:/ });
  await server.stop();
});
