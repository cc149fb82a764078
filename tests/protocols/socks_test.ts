/** SOCKS5: connect in pull form and pipe; a target that speaks first is heard after the reply. */
import assert from "node:assert/strict";
import { createHash, type Hash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { tcpServer } from "../support/outgoing.ts";
import { lackingPrograms, pathOf } from "../support/packages.ts";
import { dial } from "../support/peers.ts";
import { client, portOf, serveProtocol, tryClient } from "../support/protocols.ts";
import { lackingStrategy, SAMPLE } from "../support/strategies.ts";
import { runToEnd } from "../support/command.ts";

/** Bytes each way: `PORTICO_LONG=1` for 1 GiB. */
const SIZE = (process.env["PORTICO_LONG"] === "1" ? 1024 : 64) * 1024 * 1024;
const BLOCK = new Uint8Array(64 * 1024).map((_, i) => (i * 7919) >> 3);

function digestOf(size: number): string {
  const hash = createHash("sha256");
  for (let left = size; left > 0; left -= BLOCK.length) hash.update(BLOCK);
  return hash.digest("hex");
}

/** Sends SIZE bytes to who asks with GET; tells who sends what their digest is. */
async function httpTarget(t: TestContext): Promise<number> {
  const server: Server = createServer((request, response) => {
    if (request.method === "GET") {
      response.writeHead(200, { "content-length": SIZE });
      let left = SIZE;
      const more = (): void => {
        while (left > 0) {
          left -= BLOCK.length;
          if (!response.write(BLOCK)) return void response.once("drain", more);
        }
        response.end();
      };
      return more();
    }
    const hash: Hash = createHash("sha256");
    request.on("data", (chunk: Uint8Array) => hash.update(chunk));
    request.on("end", () => response.end(hash.digest("hex")));
  });
  t.after(() => server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

for (const strategy of SAMPLE) {
  const lacking = lackingStrategy(strategy);
  const skip = lackingPrograms("curl", "sh", "python3") || lacking;

  test(
    `socks, ${strategy}: curl sends and receives ${SIZE / 1024 / 1024} MiB`,
    { skip },
    async (t) => {
      const server = await serveProtocol(t, "socks", strategy);
      const target = await httpTarget(t);
      const proxy = `127.0.0.1:${await portOf(server, "socks")}`;
      const curl = `${pathOf("curl")} -sS --max-time 300 --socks5-hostname ${proxy}`;
      const line = async (text: string): Promise<string> => {
        const { code, out, err } = await runToEnd([pathOf("sh")!, ["-c", text]]);
        assert.equal(code, 0, err);
        return out.trim();
      };
      const digest = digestOf(SIZE);
      const url = `http://localhost:${target}/`;
      assert.equal((await line(`${curl} ${url} | sha256sum`)).slice(0, 64), digest);
      const source = `${pathOf("python3")} -c "import sys
block = bytes((i * 7919 >> 3) & 255 for i in range(65536))
for _ in range(${SIZE / BLOCK.length}): sys.stdout.buffer.write(block)"`;
      assert.equal(await line(`${source} | ${curl} -T - ${url}`), digest);
      const [close] = await server.process.count(2, {
        event: "close",
        service: "socks",
        level: "info",
      });
      assert.ok(Number(close!["bytesOut"]) > SIZE);
    },
  );

  test(`socks, ${strategy}: the banner of a target comes after the reply, 50 of 50`, {
    skip: lacking,
  }, async (t) => {
    const target = await tcpServer(t, (socket) => void socket.end("220 I speak first\r\n"));
    const port = Number(target.replace(/^.*:/, ""));
    const server = await serveProtocol(t, "socks", strategy);
    const endpoint = await server.endpoint("socks", "tcp");
    const reply = [5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    const expected = [...reply, ...new TextEncoder().encode("220 I speak first\r\n")];
    for (let round = 0; round < 50; round++) {
      const peer = await dial(t, endpoint);
      peer.send(new Uint8Array([5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 255]));
      await peer.over();
      assert.deepEqual([...peer.bytes()], expected, `round ${round}`);
      peer.end();
      await peer.when("the close", () => peer.gone);
    }
  });

  test(`socks, ${strategy}: BIND waits for the one who is named, and passes on`, {
    skip: lacking,
  }, async (t) => {
    const server = await serveProtocol(t, "socks", strategy);
    const peer = await dial(t, await server.endpoint("socks", "tcp"));
    peer.send(new Uint8Array([5, 1, 0, 5, 2, 0, 1, 127, 0, 0, 1, 0, 0]));
    await peer.when("where it listens", () => peer.received === 12);
    const [version, code, , type, ...place] = peer.bytes().subarray(2);
    assert.deepEqual([version, code, type, ...place.slice(0, 4)], [5, 0, 1, 127, 0, 0, 1]);
    const guest = await dial(t, `tcp://127.0.0.1:${place[4]! * 256 + place[5]!}`);
    guest.send("I call back");
    await peer.hears("I call back");
    const [high, low] = peer.bytes().subarray(20, 22);
    assert.match(guest.name, new RegExp(`:${high! * 256 + low!}$`));
    peer.send("welcome");
    await guest.hears("welcome");
    peer.end();
    await guest.over();
    guest.end();
    await peer.over();
    await server.until("socks", ({ live }) => live === 0);
    assert.deepEqual(server.process.all({ level: /warn|error/ }), []);
  });

  test(`socks, ${strategy}: where nobody listens, curl is told so`, { skip }, async (t) => {
    const server = await serveProtocol(t, "socks", strategy);
    const proxy = `127.0.0.1:${await portOf(server, "socks")}`;
    const how = ["-sS", "--max-time", "20", "--socks5-hostname", proxy];
    const { code, err } = await tryClient("curl", ...how, "http://127.0.0.1:1/");
    assert.equal(code, 97, err);
    assert.match(err, /127\.0\.0\.1.*\(5\)/);
    const unknown = await tryClient("curl", ...how, "http://no.such.host.invalid/");
    assert.equal(unknown.code, 97, unknown.err);
  });
}

test(
  "socks: an IPv6 address, and what it does not know",
  { skip: lackingPrograms("curl") },
  async (t) => {
    const server = await serveProtocol(t, "socks", "async");
    const endpoint = await server.endpoint("socks", "tcp");
    const peer = await dial(t, endpoint);
    peer.send(new Uint8Array([5, 1, 0, 5, 3, 0, 1, 127, 0, 0, 1, 0, 1]));
    await peer.over();
    assert.deepEqual([...peer.bytes()].slice(0, 4), [5, 0, 5, 7]);
    const target = await httpTarget(t);
    const proxy = `127.0.0.1:${await portOf(server, "socks")}`;
    const out = await client(
      ...["curl", "-sS", "--socks5", proxy, "-X", "POST", "-d", "hello"] as const,
      `http://127.0.0.1:${target}/`,
    );
    assert.equal(out, createHash("sha256").update("hello").digest("hex"));
  },
);
