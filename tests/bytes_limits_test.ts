/** `limits.bytes` and `limits.bytesPerSecond` with real sockets, under every strategy, and of HTTP. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { describe, test } from "node:test";
import { Buffer } from "node:buffer";
import { parseEndpoint } from "../runtime/core/endpoint.ts";
import type { Hooks } from "../runtime/core/plugin.ts";
import { startHooks, startManifest } from "./support/in-process.ts";
import { dial } from "./support/peers.ts";
import { get, send } from "./support/requests.ts";
import type { Scope } from "./support/scope.ts";
import { lackingStrategy, SAMPLE } from "./support/strategies.ts";
import { within } from "./support/until.ts";

const numbered = (length: number): Uint8Array => {
  return Uint8Array.from({ length }, (_, at) => at * 7 + (at >> 8));
};

for (const strategy of SAMPLE) {
  describe(`streams, under ${strategy}`, { skip: lackingStrategy(strategy) }, () => {
    const started = (scope: Scope, limits: object) =>
      startManifest(scope, {
        echo: {
          plugin: "echo",
          listen: "tcp://127.0.0.1:0",
          concurrency: { strategy },
          limits,
        },
      });

    test("bytesPerSecond: an echo of more than the buffers comes whole, no sooner than it may", async (t) => {
      const server = await started(t, { bytesPerSecond: { in: "3MB", out: "2MB" } });
      const peer = await dial(t, server.endpoint());
      const sent = numbered(2_000_000);
      const begin = performance.now();
      peer.send(sent);
      peer.end();
      await peer.when("all of it", () => peer.received === sent.length || peer.gone, 20_000);
      const took = performance.now() - begin;
      await peer.over();
      assert.ok(Buffer.from(sent).equals(peer.bytes()), `${peer.received} bytes`);
      // But for the tenth of a second that may go at once.
      assert.ok(took >= 890, `${took} ms`);
      const { bytesIn, bytesOut, reason } = await server.record("close");
      assert.deepEqual([bytesIn, bytesOut, reason], [sent.length, sent.length, "peer"]);
    });

    test("bytes: what was written before is sent, also to a peer that goes on sending", async (t) => {
      const server = await started(t, { bytes: { in: "1MB" } });
      const peer = await dial(t, server.endpoint());
      peer.send(numbered(3_000_000));
      await peer.over();
      assert.equal(peer.received, 1_000_000);
      peer.end();
      const { bytesIn, bytesOut, reason } = await server.record("close");
      assert.deepEqual([bytesIn, bytesOut, reason], [1_000_000, 1_000_000, "bytes"]);
    });

    test("bytes: no more goes out than may", async (t) => {
      const server = await started(t, { bytes: { out: 100_000 } });
      const peer = await dial(t, server.endpoint());
      const sent = numbered(300_000);
      peer.send(sent);
      await peer.over();
      assert.ok(Buffer.from(sent.subarray(0, 100_000)).equals(peer.bytes()));
      peer.end();
      const { bytesOut, reason } = await server.record("close");
      assert.deepEqual([bytesOut, reason], [100_000, "bytes"]);
    });
  });
}

/** POSTs in parts, without saying how much it will be; resolves with the status and the text of the answer. */
function post(endpoint: string, parts: readonly Uint8Array[]): Promise<[number, string]> {
  const { host, port } = parseEndpoint(endpoint) as { host: string; port: number };
  const answer = new Promise<[number, string]>((resolve, reject) => {
    const sent = request({ host, port, path: "/", method: "POST", agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
      response.on("close", () => resolve([response.statusCode!, text]));
    });
    sent.on("error", reject);
    for (const part of parts) sent.write(part);
    sent.end();
  });
  return within("an answer", answer);
}

describe("HTTP", () => {
  const listen = "http://127.0.0.1:0";
  const counting: Hooks<never> = {
    fetch: async (request) => new Response(`${(await request.arrayBuffer()).byteLength}`),
  };
  const answering = (make: () => BodyInit): Hooks<never> => ({ fetch: () => new Response(make()) });

  test("a request that says that it is too large is 413, unread", async (t) => {
    const server = await startHooks(t, counting, { listen, limits: { bytes: { in: 10 } } });
    const method = "POST";
    const just = await get(server.endpoint(), "/", { method, body: "0123456789" });
    assert.deepEqual([just.status, just.text], [200, "10"]);
    const headers = { "content-length": "11" };
    const more = await get(server.endpoint(), "/", { method, headers, body: "0123456789x" });
    assert.deepEqual([more.status, more.text], [413, ""]);
    const { limit } = await server.record("refuse");
    assert.equal(limit, "bytes");
    assert.deepEqual(server.status().tally.refused, { bytes: 1 });
  });

  test("so is one that does not say it, whatever the plugin makes of that", async (t) => {
    const swallowing: Hooks<never> = {
      fetch: (request) =>
        request.text().then((text) => new Response(text), () => new Response("?")),
    };
    for (const hooks of [counting, swallowing]) {
      const server = await startHooks(t, hooks, { listen, limits: { bytes: { in: 100_000 } } });
      const part = numbered(50_000);
      const [status] = await post(server.endpoint(), [part, part]);
      assert.equal(status, 200);
      assert.deepEqual(await post(server.endpoint(), [part, part, part]), [413, ""]);
      const { reason, status: recorded } = await server.record("close", 2);
      assert.deepEqual([reason, recorded], ["bytes", 413]);
      assert.equal(server.status().errors, 0);
    }
  });

  test("bytesPerSecond of what comes: the body takes its time, and comes whole", async (t) => {
    const limits = { bytesPerSecond: { in: "1MB" } };
    const server = await startHooks(t, counting, { listen, limits });
    const begin = performance.now();
    const [, text] = await post(server.endpoint(), [numbered(250_000), numbered(250_000)]);
    assert.equal(text, "500000");
    const took = performance.now() - begin;
    assert.ok(took >= 390, `${took} ms`);
  });

  for (
    const [kind, make] of Object.entries<() => BodyInit>({
      "as a whole": () => numbered(500_000) as Uint8Array<ArrayBuffer>,
      "that streams": () => {
        let at = 0;
        return new ReadableStream({
          async pull(controller) {
            await new Promise((resolve) => setTimeout(resolve, 5));
            controller.enqueue(numbered(500_000).slice(at, at += 100_000));
            if (at === 500_000) controller.close();
          },
        });
      },
    })
  ) {
    test(`bytesPerSecond of an answer ${kind}`, async (t) => {
      const limits = { bytesPerSecond: { out: "1MB" } };
      const server = await startHooks(t, answering(make), { listen, limits });
      const begin = performance.now();
      const answer = await send(server.endpoint(), "/");
      const chunks: Buffer[] = [];
      for await (const chunk of answer) chunks.push(chunk as Buffer);
      const took = performance.now() - begin;
      assert.ok(Buffer.concat(chunks).equals(numbered(500_000)));
      assert.ok(took >= 390, `${took} ms`);
      const { "content-length": length } = answer.headers;
      // Not every runtime says it of what it sends in parts.
      if (kind === "as a whole") assert.ok([undefined, "500000"].includes(length));
      else assert.equal(length, undefined);
      assert.equal((await server.record("close")).reason, "done");
    });

    test(`bytes of an answer ${kind}: no more than may go, and the peer sees that it is not whole`, async (t) => {
      const limits = { bytes: { out: 250_000 } };
      const server = await startHooks(t, answering(make), { listen, limits });
      let received = 0;
      await assert.rejects(async () => {
        const answer = await send(server.endpoint(), "/");
        for await (const chunk of answer) received += (chunk as Buffer).length;
      });
      assert.ok(received <= 250_000, `${received} bytes`);
      assert.equal((await server.record("close")).reason, "bytes");
      assert.equal(server.status().errors, 0);
    });
  }

  test("a short answer is as it was, and a HEAD has none", async (t) => {
    const limits = { bytes: { out: 100 }, bytesPerSecond: "1MB" };
    const server = await startHooks(t, answering(() => "hello"), { listen, limits });
    const { status, text, headers } = await get(server.endpoint(), "/");
    assert.deepEqual([status, text, headers["content-length"]], [200, "hello", "5"]);
    assert.equal((await get(server.endpoint(), "/", { method: "HEAD" })).text, "");
  });
});
