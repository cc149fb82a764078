import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { definePlugin, type Session } from "portico";
import { open } from "portico/testing";
import chargen from "../../plugins/chargen.ts";
import echo from "../../plugins/echo.ts";

const http = definePlugin({
  name: "web",
  transports: ["http"],
  start: () => ({
    async fetch(request, { session }) {
      const { pathname } = new URL(request.url);
      if (pathname === "/body") return new Response(await request.text());
      if (pathname === "/from") return Response.json(session.remote.host);
      if (pathname === "/slow") await new Promise(() => {});
      if (pathname === "/events") {
        const body = new ReadableStream({
          start: (c) => c.enqueue(new TextEncoder().encode("data: 1\n\n")),
        });
        return new Response(body, { headers: { "content-type": "text/event-stream" } });
      }
      throw new Error("boom");
    },
  }),
});

describe("peers", () => {
  test("half-close: the service answers what came before the end", async () => {
    const counting = definePlugin({
      name: "counting",
      transports: ["stream"],
      start: () => ({
        async handle(session) {
          let bytes = 0;
          for await (const chunk of session) bytes += chunk.length;
          session.write(`${bytes} bytes\n`);
        },
      }),
    });
    await using service = await open(counting);
    const peer = service.connect();
    peer.send("12345");
    await peer.expectNothing();
    peer.end();
    await peer.expect("5 bytes\n");
    await peer.expectEnd();
    assert.throws(() => peer.send("more"), /ended its side/);
  });

  test("a reset, by the peer", async () => {
    await using service = await open(echo);
    const peer = service.connect();
    peer.send("x");
    await peer.expect("x");
    peer.reset();
    const { how, reason } = await peer.closed;
    assert.deepEqual([how, reason], ["reset", "reset"]);
  });

  test("the end of the service's side closes the peer, unless it goes on half open", async () => {
    const greeting = definePlugin({
      name: "greeting",
      transports: ["stream"],
      start: () => ({ setup: (session: Session<undefined>) => session.end("bye\n"), data() {} }),
    });
    await using service = await open(greeting);
    const peer = service.connect();
    await peer.expect("bye\n");
    await peer.expectEnd();
    assert.equal((await peer.closed).how, "end");
    const open_ = service.connect({ allowHalfOpen: true });
    await open_.expect("bye\n");
    await open_.expectEnd();
    assert.deepEqual(open_.records.map(({ event }) => event), ["open"]);
    open_.end();
    await open_.closed;
  });

  test("a peer that does not read holds the service back", async () => {
    await using service = await open(chargen, { transport: "tcp" });
    const peer = service.connect();
    peer.stopReading();
    await service.settle();
    const { backlog } = peer;
    assert.ok(backlog > 0 && backlog < 1024 * 1024, `${backlog}`);
    await service.settle();
    assert.equal(peer.backlog, backlog);
    peer.startReading();
    assert.equal((await peer.expect(backlog + 1)).length, backlog + 1);
    peer.reset();
  });

  test("expect takes bytes, counts and patterns, and leaves the rest", async () => {
    await using service = await open(echo);
    const peer = service.connect();
    peer.send(Uint8Array.of(0, 255, 1));
    await peer.expect(Uint8Array.of(0, 255));
    assert.deepEqual(await peer.expect(1), Uint8Array.of(1));
    peer.send("250 über ok\r\nrest");
    const [, word] = await peer.expect(/^250 (.*)\r\n/);
    assert.equal(word, "über ok");
    peer.end();
    assert.equal(new TextDecoder().decode(await peer.rest()), "rest");
    await assert.rejects(
      peer.expect(/x/),
      /expected {2}\/x\/\n {2}received {2}nothing, then the end/,
    );
  });

  test("an error of the plugin is in the failure", async () => {
    const broken = definePlugin({
      name: "broken",
      transports: ["stream"],
      start: () => ({
        data() {
          throw new Error("the plugin's own fault");
        },
      }),
    });
    await using service = await open(broken);
    const peer = service.connect();
    peer.send("x");
    await assert.rejects(peer.expect("y"), /record .*HOOK_FAILED.*the plugin's own fault/);
  });

  test("rules and limits refuse as in a server", async () => {
    await using service = await open(echo, {
      access: { deny: ["192.0.2.0/24"] },
      limits: { perSource: 1 },
    });
    const denied = service.connect({ from: "192.0.2.7" });
    const { reason, record } = await denied.closed;
    assert.deepEqual([reason, record?.["rule"]], ["refused", "deny 192.0.2.0/24"]);
    service.connect({ from: "198.51.100.1" });
    const second = service.connect({ from: "198.51.100.1" });
    assert.equal((await second.closed).record?.["limit"], "perSource");
    assert.equal(service.status.refused, 2);
  });

  test("HTTP: a request, its body, its records, one that leaves", async () => {
    await using service = await open(http, { limits: { lifetime: "10s" } });
    const answer = await service.fetch("/body?x=1", { method: "POST", body: "hello" });
    assert.equal(await answer.text(), "hello");
    assert.equal(await (await service.fetch("/from", { from: "192.0.2.9" })).json(), "192.0.2.9");
    const peer = service.connect();
    assert.equal((await peer.fetch("/boom")).status, 500);
    assert.equal((await peer.closed).reason, "error");
    const events = await service.fetch("/events");
    const reader = events.body!.getReader();
    assert.equal(new TextDecoder().decode((await reader.read()).value), "data: 1\n\n");
    await reader.cancel();
    const leaving = new AbortController();
    const left = service.connect();
    const slow = left.fetch("/slow", { signal: leaving.signal });
    leaving.abort();
    await assert.rejects(slow, { name: "AbortError" });
    assert.equal((await left.closed).reason, "peer");
    const late = service.fetch("/slow");
    await service.clock.advance("12s");
    assert.equal((await late).status, 503);
    assert.throws(() => peer.send("x"), /send: .*http, which has none/);
  });

  test("a transport that is not there is named", async () => {
    await using service = await open(echo, { transport: "unix" });
    assert.throws(() => service.connect({ transport: "udp" }), /not listen on udp, but on unix:/);
    await assert.rejects(open(echo, { transport: "http" }), /http endpoint/);
  });
});
