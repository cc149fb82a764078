/** DNS: one plugin, datagrams in their hook and streams in pull form. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { lackingFeature } from "../support/adapter.ts";
import { folder } from "../support/folder.ts";
import { TCP, UDP } from "../support/managed-server.ts";
import { lackingPrograms } from "../support/packages.ts";
import { dial } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import { Program } from "../support/program.ts";
import { client, portOf, serveProtocol } from "../support/protocols.ts";
import { lackingStrategy, SAMPLE } from "../support/strategies.ts";
import { until } from "../support/until.ts";

const long = "long ".repeat(200).trim();
const zone = { "a.example": { A: "192.0.2.7", TXT: "short" }, "long.example": { TXT: long } };

for (const strategy of SAMPLE) {
  const skip = lackingPrograms("dig") || lackingStrategy(strategy);
  test(`dns, ${strategy}: dig asks over UDP, and over TCP`, { skip }, async (t) => {
    const server = await serveProtocol(t, "dns", strategy, {
      listen: [UDP, TCP],
      options: { zone },
    });
    const ports = { udp: await portOf(server, "dns", "udp"), tcp: await portOf(server, "dns") };
    const ask = async (transport: "tcp" | "udp", ...words: string[]): Promise<string> => {
      const how = [transport === "tcp" ? "+tcp" : "+notcp", "+noedns", "+tries=1", "+time=8"];
      const at = ["@127.0.0.1", "-p", ports[transport]];
      return (await client("dig", ...at, ...how, ...words)).trim();
    };
    for (const transport of ["udp", "tcp"] as const) {
      assert.equal(await ask(transport, "+short", "a.example", "A"), "192.0.2.7");
      assert.equal(await ask(transport, "+short", "A.Example", "TXT"), '"short"');
      assert.match(await ask(transport, "b.example", "A"), /status: NXDOMAIN/);
      assert.match(await ask(transport, "a.example", "MX"), /status: NOERROR.*ANSWER: 0/s);
    }
    assert.match(await ask("udp", "+ignore", "long.example", "TXT"), /flags: qr aa tc/);
    const text = await ask("tcp", "+short", "long.example", "TXT");
    assert.equal(text.replaceAll('" "', "").replaceAll('"', ""), long);
    // Several questions of one connection are answered in it.
    const both = await ask("tcp", "+keepopen", "+short", "a.example", "A", "a.example", "TXT");
    assert.equal(both, '192.0.2.7\n"short"');
    assert.deepEqual(server.process.all({ level: /warn|error/ }), []);
  });
}

for (const strategy of SAMPLE) {
  test(`dns, ${strategy}: behind dnsdist, which tells who asks by the PROXY protocol`, {
    skip: lackingPrograms("dig", "dnsdist") || lackingFeature("descriptors") ||
      lackingStrategy(strategy),
  }, async (t) => {
    const server = await serveProtocol(t, "dns", strategy, {
      listen: [UDP, "tcp://127.0.0.1:0"],
      options: { zone },
      proxyProtocol: { from: ["127.0.0.1"] },
      access: { deny: ["127.0.0.9"] },
      log: { type: "json", level: "debug" },
    });
    const home = folder(t, {});
    const front = await freePort();
    const [udp, tcp] = [await portOf(server, "dns", "udp"), await portOf(server, "dns", "tcp")];
    const target = (pool: string, port: string): string =>
      `newServer{address="127.0.0.1:${port}", useProxyProtocol=true, pool="${pool}", checkName="a.example.", ` +
      // A process for each question takes its time on a machine that is busy.
      `checkTimeout=20000, mustResolve=true${pool === "tcp" ? ", tcpOnly=true" : ""}}`;
    writeFileSync(
      join(home, "dnsdist.conf"),
      `setLocal("127.0.0.1:${front}")
setVerboseHealthChecks(true)
setUDPTimeout(20)
${target("udp", udp)}
${target("tcp", tcp)}
addAction(AllRule(), SetProxyProtocolValuesAction({["2"]="a.authority"}))
addAction(TCPRule(true), PoolAction("tcp"))
addAction(TCPRule(false), PoolAction("udp"))
`,
    );
    const words = ["-C", "dnsdist.conf", "--supervised", "--disable-syslog"];
    const dnsdist = new Program(t, home, "dnsdist", ...words);
    // Its looks whether we are there say LOCAL: they are its own, and served.
    for (const transport of ["udp", "tcp"]) {
      const remote = new RegExp(`^${transport}://127\\.0\\.0\\.1:`);
      const open = await server.process.record({ event: "open", remote });
      assert.equal(open["via"], undefined, dnsdist.text);
    }
    await until(
      () => `dnsdist to have found both: ${dnsdist.text}${dnsdist.errors}`,
      () => dnsdist.text.split("as 'up'").length === 3,
    );
    const ask = (transport: "tcp" | "udp", from: string, seconds = 25): Promise<string> => {
      const how = [
        transport === "tcp" ? "+tcp" : "+notcp",
        "+noedns",
        "+tries=1",
        `+time=${seconds}`,
      ];
      return client(
        "dig",
        "@127.0.0.1",
        "-p",
        `${front}`,
        "-b",
        from,
        ...how,
        "+short",
        "a.example",
        "A",
      );
    };
    for (const transport of ["udp", "tcp"] as const) {
      assert.equal((await ask(transport, "127.0.0.5")).trim(), "192.0.2.7");
      const remote = new RegExp(`^${transport}://127\\.0\\.0\\.5:`);
      const open = await server.process.record({ event: "open", remote });
      assert.match(String(open["via"]), new RegExp(`^${transport}://127\\.0\\.0\\.1:`));
      assert.equal(open["local"], `${transport}://127.0.0.1:${front}`);
    }
    const refused = ask("udp", "127.0.0.9", 1).catch(() => "");
    await server.process.record({ event: "refuse", rule: "deny 127.0.0.9", via: /127\.0\.0\.1/ });
    await refused;
  });
}

test("dns: questions that come in one piece, or byte by byte, are answered in order", async (t) => {
  const server = await serveProtocol(t, "dns", "async", { options: { zone } });
  const peer = await dial(t, await server.endpoint("dns", "tcp"));
  const query = (id: number): Uint8Array => {
    const name = [1, 97, 7, ...new TextEncoder().encode("example"), 0];
    const message = [0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, 1, 0, 1];
    return new Uint8Array([0, message.length, ...message]);
  };
  const all = new Uint8Array([1, 2, 3].flatMap((id) => [...query(id)]));
  const length = query(1).length + 16;
  peer.send(all);
  await peer.when("three answers", () => peer.received === 3 * length);
  for (const byte of all) {
    peer.send(new Uint8Array([byte]));
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  await peer.when("six answers", () => peer.received === 6 * length);
  const ids = Array.from({ length: 6 }, (_, i) => peer.bytes()[i * length + 3]);
  assert.deepEqual(ids, [1, 2, 3, 1, 2, 3]);
});
