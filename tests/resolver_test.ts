/** The resolver, with a name server of the test's own. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import fc from "fast-check";
import { DnsResolver, serverOf } from "../runtime/resolver/dns.ts";
import { encodeQuestion, readAnswer, TYPE } from "../runtime/resolver/message.ts";
import { readHosts, readResolvConf } from "../runtime/resolver/system.ts";
import { adapter } from "./support/adapter.ts";
import { NameServer, type Zone } from "./support/name-server.ts";
import { Shared } from "./support/scope.ts";

async function resolving(
  t: TestContext,
  zones: Readonly<Record<string, Zone>>,
  more: { readonly servers?: readonly string[]; readonly timeout?: number } = {},
): Promise<{ readonly server: NameServer; readonly resolver: DnsResolver }> {
  const server = await NameServer.start(t, zones);
  const { timeout = 5000, servers = [] } = more;
  const plan = { servers: [...servers, server.address], timeout };
  const resolver = new DnsResolver(adapter, () => plan);
  t.after(() => resolver.close());
  return { server, resolver };
}

describe("DnsResolver", () => {
  test("DnsResolver finds addresses of both families, with the least TTL", async (t) => {
    const { resolver, server } = await resolving(t, {
      "db.example.org A": { values: ["192.0.2.1", "192.0.2.2"], ttl: 30 },
      "db.example.org AAAA": { values: ["2001:db8:0:0:0:0:0:1"], ttl: 7 },
    });
    assert.deepEqual(await resolver.addresses("db.example.org"), {
      values: ["192.0.2.1", "192.0.2.2", "2001:db8::1"],
      ttl: 7000,
    });
    assert.deepEqual((await resolver.addresses("db.example.org", 6)).values, ["2001:db8::1"]);
    assert.equal(server.count("db.example.org A"), 1);
  });
  test("DnsResolver follows an alias, and its TTL", async (t) => {
    const { resolver } = await resolving(t, {
      "www.example.org A": { alias: "web.example.net", values: ["192.0.2.9"], ttl: 11 },
    });
    assert.deepEqual(await resolver.addresses("www.example.org", 4), {
      values: ["192.0.2.9"],
      ttl: 11_000,
    });
  });
  test("DnsResolver finds the names of an address, in small letters", async (t) => {
    const { resolver, server } = await resolving(t, {
      "192.0.2.7 PTR": { values: ["Seven.Example.ORG", "7.example.org"], ttl: 9 },
    });
    assert.deepEqual(await resolver.names("192.0.2.7"), {
      values: ["seven.example.org", "7.example.org"],
      ttl: 9000,
    });
    await resolver.names("2001:db8::1%eth0");
    assert.equal(
      server.asked.at(-1),
      `1.${"0.".repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa PTR`,
    );
  });
  test("DnsResolver answers with nothing for what there is not, for as long as the SOA says", async (t) => {
    const { resolver, server } = await resolving(t, { "here.example.org A": { values: [] } });
    server.negativeTtl = 17;
    const nothing = { values: [], ttl: 17_000 };
    assert.deepEqual(await resolver.addresses("nowhere.example.org"), nothing);
    assert.deepEqual(await resolver.addresses("here.example.org"), nothing);
    assert.deepEqual(await resolver.names("192.0.2.99"), nothing);
  });
  test("DnsResolver asks over TCP for what does not fit a datagram", async (t) => {
    const values = Array.from({ length: 200 }, (_, n) => `192.0.2.${n}`);
    const { resolver, server } = await resolving(t, {
      "many.example.org A": { values, truncated: true },
    });
    assert.deepEqual((await resolver.addresses("many.example.org", 4)).values, values);
    assert.equal(server.count("many.example.org A"), 2);
  });
  test("DnsResolver takes no answer to another question, none of another name, none that is damaged", async (t) => {
    const spoils: readonly ((message: Buffer) => Buffer)[] = [
      (message) => (message.writeUInt16BE(message.readUInt16BE(0) ^ 1, 0), message),
      (message) => (message[13]! ^= 1, message),
      (message) => message.subarray(0, message.length - 3),
      (message) => (message[2]! &= 0x7f, message),
      () => Buffer.alloc(3),
    ];
    for (const spoil of spoils) {
      const zone = { values: ["192.0.2.1"], spoil };
      const { resolver } = await resolving(t, { "a.example.org A": zone }, { timeout: 200 });
      await assert.rejects(resolver.addresses("a.example.org", 4), { code: "ETIMEDOUT" });
    }
  });
  test("DnsResolver asks the next server where one is silent, fails, or is not there", async (t) => {
    const zones = { "a.example.org A": { values: ["192.0.2.1"] } };
    const silent = await NameServer.start(t);
    silent.otherwise = { silent: true };
    const failing = await NameServer.start(t);
    failing.otherwise = { code: 2 };
    const gone = new Shared();
    const { address } = await NameServer.start(gone);
    await gone.close();
    for (const first of [silent.address, failing.address, address]) {
      const { resolver } = await resolving(t, zones, { servers: [first], timeout: 1000 });
      assert.deepEqual((await resolver.addresses("a.example.org", 4)).values, ["192.0.2.1"], first);
    }
  });
  test("DnsResolver rejects in time where nobody says anything, and when it is closed", async (t) => {
    const { resolver, server } = await resolving(t, {}, { timeout: 1000 });
    server.otherwise = { silent: true };
    await assert.rejects(resolver.addresses("a.example.org"), { code: "ETIMEDOUT" });
    server.otherwise = { code: 5 };
    await assert.rejects(resolver.names("192.0.2.1"), {
      code: "ENOTFOUND",
      message: "127.0.0.1 says REFUSED",
    });
    server.otherwise = { silent: true };
    const asked = resolver.addresses("b.example.org");
    await server.when("the question", () => server.asked.includes("b.example.org A"));
    resolver.close();
    await assert.rejects(asked, { code: "SESSION_CLOSED" });
  });
});

describe("messages of DNS", () => {
  test("readAnswer comes to an end whatever it reads", () => {
    const question = encodeQuestion(7, "a.example.org", TYPE.A);
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { maxLength: 8 }),
        (tail, changes) => {
          const bytes = new Uint8Array(question.length + tail.length);
          bytes.set(question);
          bytes.set(tail, question.length - 11);
          bytes[2] = 0x81;
          bytes[7] = 3;
          for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
          const answer = readAnswer(bytes, 7, "a.example.org", TYPE.A);
          assert.ok(answer === undefined || Array.isArray(answer.values));
        },
      ),
      { numRuns: 5000 },
    );
  });
  test("readAnswer does not follow a name that leads to itself", () => {
    const question = encodeQuestion(7, "a.example.org", TYPE.A).subarray(0, -11);
    const loop = [0xc0, question.length, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4];
    const bytes = new Uint8Array([...question, ...loop]);
    bytes[2] = 0x81;
    bytes[7] = 1;
    bytes[11] = 0;
    assert.equal(readAnswer(bytes, 7, "a.example.org", TYPE.A), undefined);
  });
  test("encodeQuestion refuses what is no name", () => {
    assert.throws(() => encodeQuestion(1, "a..b", TYPE.A), RangeError);
    assert.throws(() => encodeQuestion(1, "a".repeat(64), TYPE.A), RangeError);
  });
});

describe("files of this machine", () => {
  test("readHosts reads addresses and names, both ways", () => {
    const { addresses, names } = readHosts(
      "# c\n127.0.0.1\tlocalhost Local.\n::1 localhost # again\nnonsense here\n\n10.0.0.1\n",
    );
    assert.deepEqual([...addresses], [["localhost", ["127.0.0.1", "::1"]], ["local", [
      "127.0.0.1",
    ]]]);
    assert.deepEqual([...names], [["127.0.0.1", ["localhost", "local"]], ["::1", ["localhost"]]]);
  });
  test("readResolvConf reads servers, domains and ndots", () => {
    const text =
      "; c\nnameserver 192.0.2.53\nnameserver ::1 # x\nsearch a.example b.example\noptions ndots:5 rotate\n";
    assert.deepEqual(readResolvConf(text), {
      servers: ["192.0.2.53", "::1"],
      search: ["a.example", "b.example"],
      ndots: 5,
    });
    assert.deepEqual(readResolvConf(""), { servers: ["127.0.0.1"], search: [], ndots: 1 });
  });
  test("serverOf reads an address with and without a port", () => {
    assert.deepEqual(serverOf("192.0.2.53"), { host: "192.0.2.53", port: 53 });
    assert.deepEqual(serverOf("127.0.0.1:5353"), { host: "127.0.0.1", port: 5353 });
    assert.deepEqual(serverOf("[::1]:53"), { host: "::1", port: 53 });
    assert.deepEqual(serverOf("fe80::1"), { host: "fe80::1", port: 53 });
  });
});
