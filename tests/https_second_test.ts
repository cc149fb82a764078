/** HTTP/2 over TLS, with curl(1) as the peer. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { curl, made, portOf, serve, startCurl, TLS, tls } from "./support/https.ts";
import { lackingPrograms } from "./support/packages.ts";
import { until, within } from "./support/until.ts";

test("what is no HTTP is not offered", async (t) => {
  await assert.rejects(
    serve(t, tls, { tls: { ...TLS, alpn: ["h2", "imap"] } }),
    /with "alpn" "imap"[^]*"h2" and "http\/1\.1"/,
  );
});

describe("HTTP/2, where it is offered", { skip: lackingPrograms("curl") }, () => {
  const second = { tls: { ...TLS, alpn: ["h2", "http/1.1"] } };
  const version = ["-w", " %{http_version}"];

  test("a request is as any other", async (t) => {
    const server = await serve(t, async (request, { session }) => {
      const body = await request.text();
      const { url, method, headers } = request;
      const said = {
        url,
        method,
        body,
        host: headers.get("host"),
        names: [...headers.keys()].filter((name) => name.startsWith(":")),
        alpn: session.tls?.alpn,
      };
      return Response.json(said, {
        status: 201,
        headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["connection", "close"]],
      });
    }, second);
    const url = "https://logs.example/x?y=z";
    const text = await curl(server, "--http2", "-D", "-", "-d", "hello", url);
    assert.match(text, /^HTTP\/2 201/);
    assert.match(text, /set-cookie: a=1\r\nset-cookie: b=2\r\n/);
    assert.doesNotMatch(text, /connection:/);
    const host = `logs.example:${portOf(server)}`;
    assert.deepEqual(JSON.parse(text.slice(text.indexOf("{"))), {
      url: `https://${host}/x?y=z`,
      method: "POST",
      body: "hello",
      host,
      names: [],
      alpn: "h2",
    });
    const old = await curl(server, "--http1.1", ...version, url);
    assert.match(old, /"alpn":"http\/1\.1"\} 1\.1$/);
    const close = await server.record("close");
    assert.deepEqual([close.status, close.reason], [201, "done"]);
  });

  test("several requests share a connection, and big bodies come whole", async (t) => {
    const size = 8 * 1024 * 1024;
    const remotes = new Set<string>();
    const server = await serve(t, async (request, { session }) => {
      remotes.add(String(session.remote));
      if (request.method === "POST") {
        let bytes = 0;
        for await (const chunk of request.body!) bytes += chunk.length;
        return new Response(String(bytes));
      }
      let left = size;
      return new Response(
        new ReadableStream({
          async pull(controller) {
            await new Promise((resolve) => setTimeout(resolve));
            if (left === 0) return controller.close();
            const chunk = new Uint8Array(Math.min(65536, left)).fill(65);
            left -= chunk.length;
            controller.enqueue(chunk);
          },
        }),
      );
    }, second);
    const urls = ["a", "b", "c"].map((path) => `https://logs.example/${path}`);
    const all = await curl(server, "--http2", "--parallel", ...version, ...urls);
    assert.equal(all.length, 3 * (size + 2));
    assert.equal(remotes.size, 1);
    const file = join(made.folder, "big2");
    writeFileSync(file, new Uint8Array(size));
    const words = ["--http2", "--data-binary", `@${file}`, ...version];
    assert.equal(await curl(server, ...words, "https://logs.example/"), `${size} 2`);
    assert.match(await curl(server, "--http2", "-I", "https://logs.example/"), /^HTTP\/2 200/);
  });

  test("a peer that leaves is told of, a body that throws is an error, and what is under way is answered", async (t) => {
    const waiting: (() => void)[] = [];
    const server = await serve(t, ({ url }) => {
      if (url.endsWith("/throws")) {
        return new Response(
          new ReadableStream({
            start: (controller) => controller.enqueue(new Uint8Array(3)),
            pull: () => Promise.reject(new Error("it broke")),
          }),
        );
      }
      return new Promise((resolve) => waiting.push(() => resolve(new Response("let go"))));
    }, second);
    const leaving = new AbortController();
    const left = startCurl(server, ["--http2", "https://logs.example/1"], leaving.signal);
    const rejected = assert.rejects(left);
    await until("the request", () => server.live() === 1);
    leaving.abort();
    await rejected;
    await until("the end", () => server.live() === 0);
    assert.equal((await server.record("close")).reason, "peer");
    await assert.rejects(curl(server, "--http2", "https://logs.example/throws"));
    await server.when("the error", () => server.all("error").length === 1);
    const last = curl(server, "--http2", "https://logs.example/3");
    await until("the request", () => server.live() === 1);
    const stopping = server.running.stop();
    waiting.at(-1)!();
    assert.equal(await last, "let go");
    await within("the stop", stopping);
  });
});
