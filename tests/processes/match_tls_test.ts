/** TLS behind one port: who ends it is chosen by the names that clients ask for, and whoever has it has its own certificates. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect as connectTcp, createServer as createTcp } from "node:net";
import { describe, test } from "node:test";
import { connect, type ConnectionOptions, createServer, type TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { parseEndpoint } from "../../runtime/core/endpoint.ts";
import { lackingFeature } from "../support/adapter.ts";
import { certificates } from "../support/certificates.ts";
import { ManagedServer } from "../support/managed-server.ts";
import { lackingPrograms } from "../support/packages.ts";
import type { Scope } from "../support/scope.ts";
import { pluginPath } from "../support/server-process.ts";
import { lackingStrategy } from "../support/strategies.ts";

const TCP = "tcp://127.0.0.1:0";
const APP = fileURLToPath(new URL("../../examples/match/app.ts", import.meta.url).href);
const skip = lackingFeature("descriptors");
const run = promisify(execFile);

const portOf = (endpoint: string): number => (parseEndpoint(endpoint) as { port: number }).port;

const files = (name: "a" | "b" | "server") => ({
  cert: certificates().file(name),
  key: certificates().file(name, "key"),
});

/** A connection whose handshake is done. */
async function shake(t: Scope, port: number, options: ConnectionOptions): Promise<TLSSocket> {
  const ca = certificates().cert("ca");
  const socket = connect({ host: "127.0.0.1", port, ca, ...options });
  t.after(() => void socket.destroy());
  socket.on("error", () => {});
  const failed = Promise.withResolvers<never>();
  socket.once("close", () => failed.reject(new Error("the handshake has failed")));
  await Promise.race([once(socket, "secureConnect"), failed.promise]);
  failed.promise.catch(() => {});
  return socket;
}

/** What is heard until a text stands in it. */
async function hear(socket: TLSSocket, what: string): Promise<string> {
  let text = "";
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    if (text.includes(what)) return text;
  }
  return assert.fail(`the end, after ${JSON.stringify(text)}`);
}

/** A server of TLS that is not ours. */
async function backend(t: Scope): Promise<number> {
  const own = { cert: certificates().cert("b"), key: certificates().key("b") };
  const server = createServer(own, (socket) => {
    socket.on("error", () => {});
    socket.write(`backend ${(socket as { servername?: string }).servername}\n`);
    socket.pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => void server.close());
  return (server.address() as AddressInfo).port;
}

for (const strategy of ["async", "threads"] as const) {
  describe(`match of TLS, to services under ${strategy}`, {
    skip: skip || lackingStrategy(strategy),
  }, () => {
    test("each name has its own certificate, from its own service; what is no name of ours goes through as it is", async (t) => {
      const workers = strategy === "threads" ? { workers: 1 } : {};
      const concurrency = { strategy, ...workers };
      const told = (name: string, more: object): Record<string, unknown> => ({
        plugin: pluginPath("told"),
        options: { name },
        concurrency,
        ...more,
      });
      const to = `tcp://127.0.0.1:${await backend(t)}`;
      const server = await ManagedServer.start(t, {
        front: {
          listen: TCP,
          match: [
            { when: { tls: { sni: "a.example" } }, service: "a" },
            { when: { tls: { sni: "b.example" } }, service: "through" },
            { when: { tls: { alpn: "told" } }, service: "agreed" },
            { when: "http", service: "agreed", tls: false },
          ],
        },
        a: told("a", { tls: files("a") }),
        agreed: told("agreed", { tls: { ...files("server"), alpn: "told" } }),
        through: { plugin: "proxy", options: { to }, concurrency },
      });
      const port = portOf(await server.endpoint("front", "tcp"));
      const a = await shake(t, port, { servername: "a.example" });
      assert.equal(a.getPeerCertificate().subjectaltname, "DNS:a.example");
      a.write("one");
      assert.match(await hear(a, "one"), /^a 127\.0\.0\.1 at \d+\none$/);
      a.destroy();
      const b = await shake(t, port, { servername: "b.example" });
      assert.equal(b.getPeerCertificate().subjectaltname, "DNS:b.example");
      b.write("two");
      assert.equal(await hear(b, "two"), "backend b.example\ntwo");
      b.destroy();
      const options = { servername: "logs.example", ALPNProtocols: ["told"] };
      const agreed = await shake(t, port, options);
      assert.equal(agreed.alpnProtocol, "told");
      assert.match(await hear(agreed, "\n"), /^agreed /);
      agreed.destroy();
      const clear = connectTcp({ host: "127.0.0.1", port });
      t.after(() => void clear.destroy());
      clear.write("GET / HTTP/1.1\r\n");
      const [said] = await once(clear, "data");
      assert.match(String(said), /^agreed /);
      clear.destroy();
      const nobody = connect({ host: "127.0.0.1", port, servername: "c.example" });
      const [error] = await once(nobody, "error");
      assert.ok(error instanceof Error);
      await server.process.record({ event: "refuse", service: "front", rule: "match" });
    });
  });
}

describe(
  "match of HTTP and more",
  { skip: skip || lackingPrograms("curl", "openssl", "nc") },
  () => {
    test("curl, openssl s_client and one who speaks as ssh does share a port; a reload changes who answers", async (t) => {
      const sshd = createTcp((socket) => void socket.end("SSH-2.0-fake\r\n")).listen(
        0,
        "127.0.0.1",
      );
      await once(sshd, "listening");
      t.after(() => void sshd.close());
      const to = `tcp://127.0.0.1:${(sshd.address() as AddressInfo).port}`;
      const services = (more: object = {}) => ({
        front: {
          listen: TCP,
          match: {
            wait: "20s",
            routes: [
              { when: "ssh", service: "ssh" },
              { when: "tls", service: "web" },
              { when: "http", service: "web", tls: false },
            ],
          },
        },
        web: { plugin: "http", options: { app: APP }, tls: files("server"), ...more },
        ssh: { plugin: "proxy", options: { to } },
      });
      const server = await ManagedServer.start(t, services());
      const { process } = server;
      const port = portOf(await server.endpoint("front", "tcp"));
      const ca = certificates().file("ca");
      const curl = async (scheme: string): Promise<string> =>
        (await run("curl", ["-sS", "-m10", "--cacert", ca, `${scheme}://127.0.0.1:${port}/`]))
          .stdout;
      const [over, plain] = [await curl("https"), await curl("http")];
      assert.deepEqual([over, plain], ["hello over https\n", "hello over http\n"]);
      const records = await process.count(2, { event: "open", service: "web" });
      assert.deepEqual(records.map(({ local }) => local), [
        `https://127.0.0.1:${port}`,
        `http://127.0.0.1:${port}`,
      ]);
      const ssh = await run("sh", ["-c", `printf 'SSH-2.0-x\\r\\n' | nc 127.0.0.1 ${port}`]);
      assert.equal(ssh.stdout, "SSH-2.0-fake\r\n");
      const shown = await run("sh", [
        "-c",
        `echo | openssl s_client -connect 127.0.0.1:${port} -CAfile ${ca} 2>&1`,
      ]);
      assert.match(shown.stdout, /Verify return code: 0 \(ok\)/);
      server.write(services({ access: { deny: ["127.0.0.1"] } }));
      await server.reload();
      const code = ["-s", "-o", "/dev/null", "-w", "%{http_code}", `http://127.0.0.1:${port}/`];
      assert.equal((await run("curl", code)).stdout, "403");
    });
  },
);
