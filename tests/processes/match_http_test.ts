/** HTTP behind one port with others: read by the runtime or by descriptor, it is what it is on a port of its own. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { parseEndpoint } from "../../runtime/core/endpoint.ts";
import { lackingFeature } from "../support/adapter.ts";
import { certificates } from "../support/certificates.ts";
import { ManagedServer } from "../support/managed-server.ts";
import { Peer } from "../support/peer.ts";
import type { Scope } from "../support/scope.ts";
import { type JsonRecord, pluginPath } from "../support/server-process.ts";
import { until } from "../support/until.ts";

const TCP = "tcp://127.0.0.1:0";
/** Long enough that nobody is waited for in vain who says enough. */
const LONG = "20s";
const skip = lackingFeature("descriptors");
const PAGES = pluginPath("pages");
/** To a plugin that takes sockets itself: then nobody is read before it is told apart. */
const PROGRAM = { when: { hex: "fe ff" }, service: "program" };
const program = { plugin: "exec", options: { command: ["cat"] } };

const get = (path: string, ...more: readonly string[]): string =>
  [`GET ${path} HTTP/1.1`, "Host: example.org", ...more, "", ""].join("\r\n");
const LAST = "Connection: close";

const plain = (text: string): string =>
  text.replace(/(?<=127\.0\.0\.\d:)\d+/g, "…").replace(/unix:\S*\//g, "unix:");

/** Without what differs between any two connections, and any two manifests. */
function plainly({ time: _, session: __, durationMs: ___, place: ____, ...rest }: JsonRecord) {
  return Object.entries(rest).map(([key, value]) => `${key} ${plain(String(value))}`);
}

/** What is said of them all by everybody who is told of them. */
async function storyOf(scope: Scope, byDescriptor: boolean) {
  const match = {
    wait: LONG,
    routes: [
      ...(byDescriptor ? [PROGRAM] : []),
      { when: "ssh", service: "rest" },
      { when: "http", service: "web" },
      { otherwise: "web" },
    ],
  };
  const server = await ManagedServer.start(scope, {
    front: { listen: [TCP, "unix:./front.sock"], access: { deny: ["127.0.0.9"] }, match },
    balanced: { listen: TCP, proxyProtocol: { from: ["127.0.0.1"] }, match },
    web: {
      plugin: PAGES,
      access: { deny: ["127.0.0.8", "203.0.113.9"] },
      limits: { perSource: 1 },
    },
    rest: { plugin: pluginPath("told"), options: { name: "rest" } },
    ...(byDescriptor && { program }),
  });
  const names = ["front", "balanced", "web", "rest"] as const;
  const said: string[] = [];
  const connect = async (front: string, transport = "tcp", from?: string): Promise<Peer> =>
    new Peer(scope, await server.endpoint(front, transport), from);
  const note = (peer: Peer): void =>
    void said.push(plain(peer.text.replace(/^date: .*\r\n/gim, "")));
  /** Somebody who has come and gone, before the next one does. */
  const come = async (
    act: (peer: Peer) => unknown,
    front = "front",
    transport?: string,
    from?: string,
  ): Promise<void> => {
    const peer = await connect(front, transport, from);
    await act(peer);
    await peer.when("to be gone", () => peer.gone);
    note(peer);
    for (const name of names) await server.until(name, ({ live }) => live === 0);
  };
  const undecided = (front: string) => server.until(front, ({ live }) => live === 1);

  // Several on one connection, torn before it is told apart.
  await come(async (peer) => {
    peer.say("GE");
    await undecided("front");
    peer.say(get("/one").slice(2));
    await peer.hears("200 OK");
    await peer.hears("tcp://127.0.0.1");
    peer.text = "";
    peer.say(get("/two", LAST));
  });
  const body = "x".repeat(200_000);
  await come((peer) =>
    peer.say(
      `POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n${LAST}\r\n\r\n`,
    ).say(body)
  );
  assert.ok(said.at(-1)!.endsWith(`\r\n\r\n${body}`));
  await come((peer) => peer.say(get("/unix", LAST)), "front", "unix");
  // What is no request, and what is none yet at its end.
  await come((peer) => peer.say("hello\r\n\r\n"));
  await come((peer) => peer.say("GE").socket.end());
  await come((peer) => peer.socket.end());
  // The rules of both.
  await come(() => {}, "front", "tcp", "127.0.0.9");
  await come((peer) => peer.say(get("/denied", LAST)), "front", "tcp", "127.0.0.8");
  const header = (host: string): string => `PROXY TCP4 ${host} 198.51.100.1 5 80\r\n`;
  await come((peer) => peer.say(header("192.0.2.7") + get("/told", LAST)), "balanced");
  assert.ok(
    said.at(-1)!.endsWith("tcp://192.0.2.7:5 at http://198.51.100.1:80 via tcp://127.0.0.1:…"),
  );
  await come(async (peer) => {
    peer.say(`${header("192.0.2.7")}GE`);
    await undecided("balanced");
    peer.say(get("/torn", LAST).slice(2));
  }, "balanced");
  await come((peer) => peer.say(header("203.0.113.9") + get("/denied", LAST)), "balanced");
  // Who comes while it is suspended is served later, if it is still there.
  await server.ask("suspend", { service: "web" });
  const waiting = [get("/later", LAST), "hello\r\n\r\n"];
  const peers: Peer[] = [];
  const served = (await server.service("front")).served;
  for (const [at, words] of waiting.entries()) {
    peers.push((await connect("front")).say(words));
    await server.until("front", (status) => status.served === served + at + 1);
  }
  const half = (await connect("front")).say("GE");
  half.socket.end();
  await server.until("front", (status) => status.served === served + 3);
  await server.ask("resume", { service: "web" });
  for (const peer of [...peers, half]) {
    await peer.when("to be gone", () => peer.gone);
    note(peer);
  }
  await server.until("web", ({ live }) => live === 0);
  // One at a time of one address; and at the end what is under way is answered, what is idle is closed.
  const file = join(server.home, "there");
  const idle = (await connect("front")).say(get("/idle"));
  await idle.hears("tcp://127.0.0.1");
  const busy = (await connect("front")).say(get(`/until-there?file=${encodeURIComponent(file)}`));
  await server.until("web", ({ live }) => live === 1);
  const second = (await connect("front")).say(get("/second", LAST));
  await second.when("to be gone", () => second.gone);
  note(second);
  const stories = await Promise.all(names.map(async (service) => {
    const { served, refused, errors, tally, routes } = await server.service(service);
    const led = routes?.slice(byDescriptor ? 1 : 0);
    const { refused: refusals, ended: ends } = tally;
    return { service, served, refused, errors, refusals, ends, led };
  }));
  const stopped = server.process.stop();
  await idle.when("to be gone", () => idle.gone);
  writeFileSync(file, "");
  await busy.when("to be gone", () => busy.gone);
  for (const peer of [idle, busy]) note(peer);
  await stopped;
  const records = names.map((service) => server.process.all({ service }).map(plainly));
  return { said, stories, records };
}

describe("match of HTTP, read by the runtime or by descriptor", { skip }, () => {
  test("answers, records and counts are the same", async (t) => {
    const held = await storyOf(t, false);
    assert.deepEqual(held, await storyOf(t, true));
  });

  for (const byDescriptor of [false, true]) {
    const how = byDescriptor ? "by descriptor" : "as the runtime does it best";
    test(`HTTPS and HTTP beside each other, ${how}`, async (t) => {
      const made = certificates();
      const tls = { cert: made.file("server"), key: made.file("server", "key") };
      const server = await ManagedServer.start(t, {
        front: {
          listen: TCP,
          match: {
            wait: LONG,
            routes: [
              ...(byDescriptor ? [PROGRAM] : []),
              { when: "tls", service: "secure" },
              { when: "http", service: "web" },
            ],
          },
        },
        secure: { plugin: PAGES, tls },
        web: { plugin: PAGES },
        ...(byDescriptor && { program }),
      });
      const endpoint = await server.endpoint("front", "tcp");
      const { port } = parseEndpoint(endpoint) as { port: number };
      for (let n = 0; n < 3; n++) {
        const socket = connectTls({ host: "127.0.0.1", port, ca: made.cert("ca") });
        t.after(() => void socket.destroy());
        let text = "";
        socket.setEncoding("utf8").on("data", (chunk: string) => text += chunk);
        socket.on("error", () => {});
        for (const word of ["first", "second"]) {
          text = "";
          const head = `POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: ${word.length}\r\n\r\n`;
          socket.write(head + word);
          await until(`the answer to ${word}`, () => text.endsWith(`\r\n\r\n${word}`));
        }
        text = "";
        socket.write(get("/", LAST));
        await until("the address", () => text.includes(` at https://127.0.0.1:${port}`));
        const peer = new Peer(t, endpoint).say(get("/", LAST));
        await peer.hears(` at http://127.0.0.1:${port}`);
      }
      // Half of a handshake is none.
      const half = new Peer(t, endpoint).say(Uint8Array.of(0x16, 3, 1, 1, 0, 1));
      half.socket.end();
      await half.when("to be gone", () => half.gone);
      await server.until("secure", ({ live, served }) => live === 0 && served === 9);
      await server.until("web", ({ live, served }) => live === 0 && served === 3);
    });
  }

  test("when the way that peers are looked at changes, who was undecided is served", async (t) => {
    const services = (routes: readonly object[], more: object) => ({
      front: {
        listen: TCP,
        limits: { drain: LONG },
        match: { wait: LONG, routes: [...routes, { when: "http", service: "web" }] },
      },
      web: { plugin: PAGES, limits: { drain: LONG }, ...more },
      ...(routes.length > 0 && { program }),
    });
    const server = await ManagedServer.start(t, services([], {}));
    const endpoint = await server.endpoint("front", "tcp");
    for (const [routes, sessions] of [[[PROGRAM], 10], [[], 20]] as const) {
      const one = new Peer(t, endpoint).say("GE");
      await server.until("front", ({ live }) => live === 1);
      const idle = new Peer(t, endpoint).say(get("/"));
      await idle.hears("200 OK");
      server.write(services(routes, { limits: { drain: LONG, sessions } }));
      await server.reload();
      await idle.when("to be gone", () => idle.gone);
      one.say(get("/", LAST).slice(2));
      await one.hears("200 OK");
      await new Peer(t, endpoint).say(get("/")).hears("200 OK");
    }
    const { refused } = await server.service("front");
    assert.equal(refused, 0);
  });
});
