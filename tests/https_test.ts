/** HTTP over TLS: what a handler, a peer and the records see; with curl(1) as a peer. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { adapter } from "./support/adapter.ts";
import { ask, closed, curl, made, pair, portOf, serve, TLS, tls } from "./support/https.ts";
import { lackingPrograms } from "./support/packages.ts";
import { until, within } from "./support/until.ts";

test("a request is one of https, and knows its handshake", async (t) => {
  const server = await serve(t, tls);
  assert.match(server.endpoint(), /^https:\/\/127\.0\.0\.1:\d+$/);
  const { status, text } = await ask(server, "/x?y=z", { ALPNProtocols: ["http/1.1"] });
  assert.equal(status, 200);
  const { url, version, alpn, resumed, authorized, cipher } = JSON.parse(text);
  assert.equal(url, `${server.endpoint()}/x?y=z`);
  assert.deepEqual([version, resumed, authorized], ["TLSv1.3", false, false]);
  assert.match(cipher, /^TLS_/);
  assert.equal(alpn, "http/1.1");
  const open = await server.record("open");
  assert.match(String(open.local), /^https:/);
  assert.match(String(open.remote), /^tcp:\/\/127\.0\.0\.1:\d+$/);
});

describe("curl", { skip: lackingPrograms("curl") }, () => {
  test("is shown the certificate of the name that it asks for", async (t) => {
    const server = await serve(t, tls, {
      tls: { certificates: [pair("server"), pair("a"), pair("b"), pair("wildcard")] },
    });
    for (const name of ["a.example", "b.example", "x.w.example", "logs.example"]) {
      const { serverName, url } = JSON.parse(await curl(server, `https://${name}/`));
      assert.equal(serverName, name);
      assert.equal(url, `https://${name}:${portOf(server)}/`);
    }
    await assert.rejects(curl(server, "https://nobody.example/", "--connect-to", "::127.0.0.1:"));
  });

  test("speaks HTTP/1.1, whatever else it offers, and keeps its connection", async (t) => {
    const server = await serve(t, tls);
    const said = await curl(
      server,
      ...["--http2", "-o", "/dev/null", "-w", "%{http_version} %{ssl_verify_result}\n"],
      "https://logs.example/",
    );
    assert.equal(said, "1.1 0\n");
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: made.cert("ca") });
    t.after(() => agent.destroy());
    const remotes = new Set<number | undefined>();
    for (const path of ["/1", "/2", "/3"]) {
      const sent = request({ port: portOf(server), host: "127.0.0.1", path, agent }).end();
      const [answer] = await within("an answer", once(sent, "response"));
      remotes.add(answer.socket.localPort);
      await once(answer.resume(), "end");
    }
    assert.equal(remotes.size, 1);
  });

  test("has the version that it may have", async (t) => {
    const server = await serve(t, tls);
    const old = JSON.parse(await curl(server, "--tls-max", "1.2", "https://logs.example/"));
    assert.equal(old.version, "TLSv1.2");
    const strict = await serve(t, tls, { tls: { ...TLS, minVersion: "TLSv1.3" } });
    await assert.rejects(curl(strict, "--tls-max", "1.2", "https://logs.example/"));
    const refuse = await strict.record("refuse");
    assert.equal(refuse.rule, "tls");
  });

  test("is known by its certificate, where one is asked for", async (t) => {
    for (const clientCertificate of ["request", "require"]) {
      const server = await serve(t, tls, {
        tls: { ...TLS, clientCertificate, ca: made.file("ca") },
      });
      const own = ["--cert", made.file("client"), "--key", made.file("client", "key")];
      const known = JSON.parse(await curl(server, ...own, "https://logs.example/"));
      assert.equal(known.peer.subject, "CN=client");
      assert.equal(known.authorized, true);
      const without = curl(server, "https://logs.example/");
      if (clientCertificate === "require") await assert.rejects(without);
      else assert.equal(JSON.parse(await without).authorized, false);
    }
  });

  test("big bodies come whole, both ways", async (t) => {
    const size = 24 * 1024 * 1024;
    const server = await serve(t, async (request) => {
      let bytes = 0;
      for await (const chunk of request.body ?? []) bytes += chunk.length;
      const left = { bytes: size };
      return new Response(
        request.method === "POST" ? String(bytes) : new ReadableStream({
          pull(controller) {
            if (left.bytes === 0) return controller.close();
            const chunk = new Uint8Array(Math.min(65536, left.bytes)).fill(65);
            left.bytes -= chunk.length;
            controller.enqueue(chunk);
          },
        }),
      );
    });
    assert.equal((await curl(server, "https://logs.example/")).length, size);
    const file = join(made.folder, "big");
    writeFileSync(file, new Uint8Array(size));
    const words = ["--data-binary", `@${file}`, "-H", "Expect:"];
    assert.equal(await curl(server, ...words, "https://logs.example/"), String(size));
  });
});

test("a rule about certificates is one for requests, too", async (t) => {
  const server = await serve(t, tls, {
    tls: { ...TLS, clientCertificate: "request", ca: made.file("ca") },
    access: { allow: ["cert:subject=CN=client"] },
  });
  const own = { cert: made.cert("client"), key: made.key("client") };
  assert.equal((await ask(server, "/", own)).status, 200);
  assert.equal((await ask(server, "/")).status, 403);
});

const answered = adapter.features.tls?.plainHttp ?? true;
const UNANSWERED = answered !== true && answered.reason;

test("who speaks plain HTTP reads that it is to be HTTPS", {
  skip: UNANSWERED,
}, async (t) => {
  const server = await serve(t, tls);
  for (const body of ["", "x".repeat(3000)]) {
    const socket = connect(portOf(server), "127.0.0.1");
    t.after(() => void socket.destroy());
    let text = "";
    socket.on("data", (chunk) => text += String(chunk));
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await within("the end", closed(socket));
    const [head, said] = text.split("\r\n\r\n");
    assert.match(head!, /^HTTP\/1\.1 400 Bad Request\r\n/);
    assert.equal(said, "The plain HTTP request was sent to HTTPS port\n");
    assert.match(head!, new RegExp(`Content-Length: ${said!.length}\r\n`));
  }
  const refused = server.records.filter(({ event }) => event === "refuse");
  assert.deepEqual(refused.map(({ rule }) => rule), ["tls", "tls"]);
});

test("who speaks plain HTTP is closed, and there is a record that says so", async (t) => {
  const server = await serve(t, tls);
  const socket = connect(portOf(server), "127.0.0.1").on("error", () => {}).resume();
  socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await within("the end", closed(socket));
  const { rule, message, remote } = await server.record("refuse");
  assert.equal(rule, "tls");
  assert.match(String(message), /speaks? plain HTTP|does not speak TLS/);
  assert.match(String(remote), /^tcp:\/\/127\.0\.0\.1:\d+$/);
  assert.equal(server.status().refused, 1);
  assert.equal((await ask(server, "/")).status, 200);
});

test("a handshake has its time, and its place among others", async (t) => {
  const server = await serve(t, tls, { limits: { handshake: "2s", handshakes: 2 } });
  const silent = [1, 2, 3, 4].map(() => connect(portOf(server), "127.0.0.1").resume());
  for (const each of silent) each.on("error", () => {});
  await Promise.all(silent.map((each) => within("the end", closed(each))));
  await server.when("four refusals", () => server.all("refuse").length === 4);
  const limits = server.all("refuse").map(({ limit }) => limit);
  // Two give way to those who wait, and nobody waits any more when the time of these is over.
  assert.deepEqual(limits, ["handshakes", "handshakes", "handshake", "handshake"]);
  assert.equal((await ask(server, "/")).status, 200);
});

test("a peer that leaves is told of, and nothing is left of it", async (t) => {
  const server = await serve(t, async (request, { session }) => {
    if (request.method === "POST") return new Response(await request.text());
    await once(session.signal as never, "abort");
    return new Response("late");
  });
  const peer = connectTls({ host: "127.0.0.1", port: portOf(server), ca: made.cert("ca") });
  peer.on("error", () => {});
  peer.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await until("the request", () => server.live() === 1);
  peer.destroy();
  await until("its end", () => server.live() === 0);
  const half = connectTls({ host: "127.0.0.1", port: portOf(server), ca: made.cert("ca") });
  half.on("error", () => {});
  half.write("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf");
  await until("the request", () => server.live() === 1);
  half.destroy();
  await until("its end", () => server.live() === 0);
  const ends = server.records.filter(({ event }) => event === "close" || event === "error");
  assert.deepEqual(ends.map(({ event, reason }) => [event, reason]), [
    ["close", "peer"],
    ["close", "peer"],
  ]);
});

const openFiles = (): number => readdirSync("/proc/self/fd").length;

test("no descriptor is left when it has stopped", {
  skip: adapter.features.descriptors === true ? false : "descriptors cannot be seen",
}, async (t) => {
  const round = async (): Promise<void> => {
    const server = await serve(t, tls);
    const silent = connect(portOf(server), "127.0.0.1").on("error", () => {}).resume();
    await once(silent, "connect");
    await Promise.all(Array.from({ length: 8 }, () => ask(server, "/")));
    await server.running.stop();
    silent.destroy();
  };
  await round();
  const before = openFiles();
  for (let i = 0; i < 3; i++) await round();
  await until(
    "as many descriptors as before",
    () => openFiles() <= before,
  );
});
