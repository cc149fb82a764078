/** Rules about names of a server that runs, with a name server of the test's own. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { describe, test, type TestContext } from "node:test";
import type { SourceStatus } from "../../runtime/control/policy.ts";
import { portico } from "../support/command.ts";
import { ManagedServer, TCP } from "../support/managed-server.ts";
import { NameServer, type Zone } from "../support/name-server.ts";
import { StreamClient } from "../support/peers.ts";

const skip = process.platform !== "linux" && "only Linux has all of 127.0.0.0/8";

/** Connects from an address of this machine, says a line, and returns what is answered before the end. */
async function say(t: TestContext, endpoint: string, from: string): Promise<string> {
  const { hostname, port } = new URL(endpoint);
  const socket = connect({ host: hostname, port: Number(port), localAddress: from });
  t.after(() => void socket.destroy());
  const peer = new StreamClient(socket);
  socket.end("hello\n");
  await peer.over();
  return peer.text;
}

interface Setting {
  readonly access: object;
  readonly zones?: Readonly<Record<string, Zone>>;
  readonly timeout?: string;
  readonly more?: object;
}

async function serving(t: TestContext, { access, zones, timeout = "2s", more = {} }: Setting) {
  const names = await NameServer.start(t, zones);
  const top = { resolver: { servers: [names.address], timeout } };
  const managed = ManagedServer.prepare(
    t,
    { s: { plugin: "echo", listen: TCP, access, ...more } },
    top,
  );
  return { names, managed, top };
}

describe("rules about names", { skip }, () => {
  test("a host's addresses are there before anybody comes, and change when its TTL ends", async (t) => {
    const { names, managed } = await serving(t, {
      access: { deny: ["bad.example.org"] },
      zones: { "bad.example.org A": { values: ["127.0.0.21"], ttl: 0 } },
    });
    await managed.start();
    const endpoint = await managed.endpoint("s", "tcp");
    assert.equal(await say(t, endpoint, "127.0.0.21"), "");
    assert.equal(await say(t, endpoint, "127.0.0.22"), "hello\n");
    names.set("bad.example.org A", { values: ["127.0.0.22"], ttl: 0 });
    // A TTL of 0 is 5 s here.
    await names.when("the next question", () => names.count("bad.example.org A") > 1);
    const changed = async (): Promise<boolean> => await say(t, endpoint, "127.0.0.22") === "";
    for (let tries = 0; !await changed(); tries++) assert.ok(tries < 50);
    assert.equal(await say(t, endpoint, "127.0.0.21"), "hello\n");
  });
  test("who waits for a name has come once, for whoever looks on", async (t) => {
    const { managed } = await serving(t, {
      access: { allow: [".example.org"] },
      zones: {
        "127.0.0.21 PTR": { values: ["a.example.org"] },
        "a.example.org A": { values: ["127.0.0.21"] },
      },
    });
    await managed.start();
    const endpoint = await managed.endpoint("s", "tcp");
    await managed.ask("top");
    assert.equal(await say(t, endpoint, "127.0.0.21"), "hello\n");
    const top = await managed.ask("top") as readonly SourceStatus[];
    assert.deepEqual(top.map(({ source, arrived }) => [source, arrived]), [["127.0.0.21", 1]]);
  });
  test("a server starts without a name server, says so, and knows the host when there is one", async (t) => {
    const { names, managed } = await serving(t, {
      access: { allow: ["a.example.org"] },
      timeout: "300ms",
    });
    names.otherwise = { silent: true };
    await managed.start();
    const endpoint = await managed.endpoint("s", "tcp");
    const told = await managed.process.record({ event: "error", host: "a.example.org" });
    assert.deepEqual([told["level"], told["code"], told["side"]], ["warn", "ENOTFOUND", "host"]);
    assert.match(
      String(told["message"]),
      /cannot be resolved \(.*does not answer\): rules about it are about nobody/,
    );
    assert.equal(await say(t, endpoint, "127.0.0.21"), "");
    names.set("a.example.org A", { values: ["127.0.0.21"] });
    await managed.process.record({ event: "log", host: "a.example.org" });
    assert.equal(await say(t, endpoint, "127.0.0.21"), "hello\n");
  });
  test("a domain lets in whom it confirms; who waits for a name does not make others wait", async (t) => {
    const { names, managed } = await serving(t, {
      access: { allow: [".example.org"] },
      zones: {
        "127.0.0.21 PTR": { values: ["a.example.org"] },
        "a.example.org A": { values: ["127.0.0.21"] },
        "127.0.0.22 PTR": { values: ["a.example.org"] },
        "127.0.0.23 PTR": { silent: true },
      },
      timeout: "1s",
    });
    await managed.start();
    const endpoint = await managed.endpoint("s", "tcp");
    const began = performance.now();
    const slow = Array.from({ length: 20 }, () => say(t, endpoint, "127.0.0.23"));
    await names.when("the question", () => names.asked.includes("23.0.0.127.in-addr.arpa PTR"));
    assert.equal(await say(t, endpoint, "127.0.0.21"), "hello\n");
    assert.equal(await say(t, endpoint, "127.0.0.22"), "");
    assert.deepEqual(new Set(await Promise.all(slow)), new Set([""]));
    const took = performance.now() - began;
    assert.ok(took > 900 && took < 5000, `${took} ms`);
    // Once for all of them, and once more since UDP may lose a question.
    assert.ok(names.count("23.0.0.127.in-addr.arpa PTR") <= 2, names.asked.join());
  });
  test("a drain refuses who waits for a name, and a stop does not wait for it", async (t) => {
    const { names, managed } = await serving(t, {
      access: { allow: [".example.org"] },
      timeout: "20s",
      more: { limits: { drain: "200ms" } },
    });
    names.otherwise = { silent: true };
    await managed.start();
    const answer = say(t, await managed.endpoint("s", "tcp"), "127.0.0.21");
    await names.when("the question", () => names.asked.length > 0);
    managed.process.signal("SIGTERM");
    const { limit } = await managed.process.record({ event: "refuse" });
    assert.equal(limit, "drain");
    assert.equal(await answer, "");
    assert.equal(await managed.process.exited(), 0);
  });
  test("a reload may change the name server", async (t) => {
    const { managed, top } = await serving(t, { access: { allow: [".example.org"] } });
    await managed.start();
    const endpoint = await managed.endpoint("s", "tcp");
    assert.equal(await say(t, endpoint, "127.0.0.21"), "");
    const other = await NameServer.start(t, {
      "127.0.0.22 PTR": { values: ["a.example.org"] },
      "a.example.org A": { values: ["127.0.0.22"] },
    });
    const services = { s: { plugin: "echo", listen: TCP, access: { allow: [".example.org"] } } };
    managed.write(services, { resolver: { ...top.resolver, servers: [other.address] } });
    await managed.reload();
    assert.equal(await say(t, endpoint, "127.0.0.22"), "hello\n");
  });
  test("explain finds who a peer is, check tells which host has no address", async (t) => {
    const { managed } = await serving(t, {
      access: {
        allow: [{ from: ".example.org", options: { RELAYCLIENT: "" } }, "db.example.org"],
        deny: ["no.example.org"],
      },
      zones: {
        "127.0.0.21 PTR": { values: ["a.example.org"] },
        "a.example.org A": { values: ["127.0.0.21"] },
        "db.example.org A": { values: ["192.0.2.1"] },
      },
    });
    const explain = async (from: string): Promise<string> =>
      (await portico("explain", managed.home, "s", "--from", from, "--at", "2026-11-28T12:00:00Z"))
        .out;
    assert.match(
      await explain("127.0.0.21"),
      /^127\.0\.0\.21 a\.example\.org at 2026-11-28T12:00:00\.000Z\nserved {2}allow \.example\.org {2}portico\.json:1:\d+ {2}RELAYCLIENT=""\n$/,
    );
    assert.match(await explain("192.0.2.1"), /\nserved {2}allow db\.example\.org /);
    assert.match(await explain("192.0.2.2"), /\nrefused {2}not in allow\n/);
    const { code, out } = await portico("check", managed.home);
    assert.equal(code, 0);
    assert.match(out, /access +no\.example\.org has no address: rules about it are about nobody/);
    assert.doesNotMatch(out, /db\.example\.org has/);
  });
});

test("exec finds the options of a rule in its environment", async (t) => {
  const managed = ManagedServer.prepare(t, {
    s: {
      plugin: "exec",
      listen: TCP,
      options: { command: ["/bin/sh", "-c", 'read x; echo "$A-$TCPREMOTEIP"'] },
      access: { allow: ["file:rules.txt"] },
    },
  });
  writeFileSync(join(managed.home, "rules.txt"), '127.0.0.1 A="b c"\n');
  await managed.start();
  assert.equal(await say(t, await managed.endpoint("s", "tcp"), "127.0.0.1"), "b c-127.0.0.1\n");
});
