/** What the plugin proxy tells servers that others have made: haproxy and nginx hear whom it comes for. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { Address, parseEndpoint } from "../../runtime/core/endpoint.ts";
import { writeProxyVersion2 } from "../../runtime/core/prologue/write-proxy-header.ts";
import { lackingFeature } from "../support/adapter.ts";
import { listening, startNginx } from "../support/balancers.ts";
import { folder } from "../support/folder.ts";
import { lackingPrograms } from "../support/packages.ts";
import { freePort } from "../support/ports.ts";
import { Program } from "../support/program.ts";
import { manifest, startServer } from "../support/server-process.ts";
import { lackingStrategy } from "../support/strategies.ts";

interface Answer {
  readonly text: string;
  readonly port: number;
}

/** All that is said to whoever says this, from an address of this machine. */
function ask(endpoint: string, from: string, what: Uint8Array | string): Promise<Answer> {
  const { port } = parseEndpoint(endpoint) as { port: number };
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, localAddress: from });
    let text = "";
    let mine = 0;
    socket.on("error", reject);
    socket.on("connect", () => mine = socket.localPort!);
    socket.setEncoding("utf8").on("data", (more: string) => text += more);
    socket.on("close", () => resolve({ text, port: mine }));
    socket.write(what);
  });
}

const ways = (strategy: string, to: number, more: object = {}): Record<string, object> =>
  Object.fromEntries([1, 2].map((version) => [`v${version}`, {
    plugin: "proxy",
    listen: "tcp://127.0.0.1:0",
    concurrency: strategy,
    options: { to: `tcp://127.0.0.1:${to}`, proxyProtocol: { version, crc32c: version === 2 } },
    ...more,
  }]));

for (const strategy of ["async", "processes"] as const) {
  test(
    `haproxy hears from the plugin proxy under ${strategy} who the client is, and what was told of it`,
    {
      skip: lackingStrategy(strategy) || lackingFeature("descriptors") ||
        lackingPrograms("haproxy"),
    },
    async (t) => {
      const port = await freePort();
      const services = {
        ...ways(strategy, port),
        told: { ...ways(strategy, port)["v2"], proxyProtocol: { from: ["127.0.0.1"] } },
      };
      const home = folder(t, { "portico.json": manifest(services) });
      const says = "%[src] %[src_port] %[dst] %[dst_port] %[fc_pp_authority] %[fc_pp_unique_id]";
      writeFileSync(
        join(home, "haproxy.cfg"),
        `defaults
  mode http
  timeout connect 5s
  timeout client 20s
  timeout server 20s
frontend all
  bind 127.0.0.1:${port} accept-proxy
  http-request return status 200 content-type text/plain lf-string "${says}" hdr connection close
`,
      );
      const haproxy = new Program(t, home, "haproxy", "-f", "haproxy.cfg");
      await listening(port, haproxy);
      const server = await startServer(t, home);
      const request = "GET / HTTP/1.0\r\n\r\n";
      for (const name of ["v1", "v2"]) {
        const endpoint = server.endpoint(name, "tcp");
        const front = (parseEndpoint(endpoint) as { port: number }).port;
        const answer = await ask(endpoint, "127.0.0.5", request);
        assert.match(answer.text, new RegExp(`\n127.0.0.5 ${answer.port} 127.0.0.1 ${front}`));
      }
      const peer = new Address("tcp", "2001:db8::7", 50000, "");
      const here = new Address("tcp", "2001:db8::1", 443, "");
      const values = { authority: "a.example", uniqueId: Buffer.from("abc").toString("hex") };
      const first = Buffer.from(writeProxyVersion2(peer, here, values));
      const told = Buffer.concat([first, Buffer.from(request)]);
      const { text } = await ask(server.endpoint("told", "tcp"), "127.0.0.1", told);
      assert.match(text, /\n2001:db8::7 50000 2001:db8::1 443 a.example abc$/);
      await server.stop();
    },
  );
}

test("nginx hears from the plugin proxy who the client is, also over a Unix socket", {
  skip: lackingFeature("descriptors") || lackingPrograms("nginx"),
}, async (t) => {
  const port = await freePort();
  const home = folder(t, {});
  const target = { to: "unix:./nginx.sock", proxyProtocol: 2 };
  const services = {
    ...ways("async", port),
    unix: { plugin: "proxy", listen: "tcp://127.0.0.1:0", options: target },
  };
  writeFileSync(join(home, "portico.json"), manifest(services));
  const says = "$proxy_protocol_addr $proxy_protocol_port " +
    "$proxy_protocol_server_addr $proxy_protocol_server_port";
  await startNginx(
    t,
    home,
    port,
    `listen 127.0.0.1:${port} proxy_protocol; listen unix:${home}/nginx.sock proxy_protocol; return "${says}";`,
  );
  const server = await startServer(t, home);
  for (const name of ["v1", "v2", "unix"]) {
    const endpoint = server.endpoint(name, "tcp");
    const front = (parseEndpoint(endpoint) as { port: number }).port;
    const answer = await ask(endpoint, "127.0.0.7", "");
    assert.equal(answer.text, `127.0.0.7 ${answer.port} 127.0.0.1 ${front}`);
  }
  await server.stop();
});
