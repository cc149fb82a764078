/** What a peer says first: hellos of real TLS clients, torn and made of several records, and other protocols. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { connect, type ConnectionOptions } from "node:tls";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type ClientHello, readClientHello } from "../../runtime/core/prologue/client-hello.ts";
import {
  firstMatch,
  matchHttp,
  matchName,
  matchPrefix,
  matchSsh,
  matchTls,
} from "../../runtime/core/prologue/match.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What a real client says first. */
async function helloOf(options: ConnectionOptions): Promise<Uint8Array> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection");
  const client = connect({
    ...options,
    host: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
  });
  client.on("error", () => {});
  const [socket] = await accepted as [Socket];
  let bytes = new Uint8Array();
  for await (const chunk of socket) {
    bytes = new Uint8Array([...bytes, ...chunk as Uint8Array]);
    if (bytes.length >= 5 && bytes.length >= 5 + (bytes[3]! << 8 | bytes[4]!)) break;
  }
  socket.destroy();
  client.destroy();
  server.close();
  await once(server, "close");
  return bytes;
}

/** The same handshake message in records of so many bytes. */
function inRecords(hello: Uint8Array, size: number): Uint8Array {
  const message = hello.subarray(5);
  const bytes: number[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    bytes.push(22, 3, 1, part.length >> 8, part.length & 255, ...part);
  }
  return Uint8Array.from(bytes);
}

describe("a ClientHello", () => {
  const wishes: ConnectionOptions[] = [
    { servername: "www.Example.org", ALPNProtocols: ["h2", "http/1.1"] },
    { servername: "a.b" },
    { servername: "", ALPNProtocols: ["ssh"] },
    { servername: "only-1-2.example", maxVersion: "TLSv1.2" },
  ];
  for (const wish of wishes) {
    test(`of a client that wishes ${JSON.stringify(wish)}`, async () => {
      const bytes = await helloOf(wish);
      const name = wish.servername?.toLowerCase();
      const alpn = wish.ALPNProtocols as string[] | undefined ?? [];
      const hello: ClientHello = {
        alpn,
        ...(name !== "" && name !== undefined && { serverName: name }),
      };
      assert.deepEqual(readClientHello(bytes), hello);
      for (let length = 0; length < bytes.length; length++) {
        assert.equal(readClientHello(bytes.subarray(0, length)), "more", `${length} bytes`);
      }
      for (const size of [1, 2, 3, 5, 64, 100]) {
        const torn = inRecords(bytes, size);
        assert.deepEqual(readClientHello(torn), hello, `records of ${size}`);
        for (let length = 0; length < torn.length; length += 7) {
          assert.equal(readClientHello(torn.subarray(0, length)), "more", `${length} of ${size}`);
        }
      }
    });
  }
  test("that was changed anywhere is a hello, more, or none, and never throws", async () => {
    const bytes = await helloOf({ servername: "www.example.org", ALPNProtocols: ["h2"] });
    fc.assert(
      fc.property(
        fc.nat(bytes.length - 1),
        fc.nat(255),
        fc.nat(bytes.length),
        (at, byte, length) => {
          const other = bytes.slice(0, length);
          if (at < length) other[at] = byte;
          const found = readClientHello(other);
          assert.ok(found === "more" || found === "none" || Array.isArray(found.alpn));
        },
      ),
      { numRuns: 20_000 },
    );
  });
  test("is none of these", () => {
    for (
      const text of [
        "GET / HTTP/1.1",
        "SSH-2.0-x",
        "\x16\x02",
        "\x16\x03\x01\x00\x10\x02",
        "\x15\x03",
      ]
    ) {
      assert.equal(readClientHello(ascii(text)), "none", JSON.stringify(text));
    }
    // A message of 16 MiB is waited for by nobody.
    assert.equal(readClientHello(Uint8Array.of(22, 3, 1, 255, 255, 1, 255, 255, 255)), "none");
  });
});

describe("matchers", () => {
  test("HTTP is told by its method", () => {
    for (
      const line of ["GET / HTTP/1.1", "PRI * HTTP/2.0", "PROPFIND /a HTTP/1.1", "POST http://x/"]
    ) {
      assert.equal(matchHttp(ascii(line)), true, line);
      assert.equal(matchHttp(ascii(line.slice(0, 2))), undefined, line);
    }
    for (const line of ["EHLO example.org", "HELP", "get / HTTP/1.1", "GETX / ", "\n"]) {
      assert.equal(matchHttp(ascii(line)), false, line);
    }
    assert.equal(matchHttp(ascii("")), undefined);
  });
  test("SSH is told by its greeting, anything by its prefix", () => {
    assert.equal(matchSsh(ascii("SSH-2.0-OpenSSH_9.2")), true);
    assert.equal(matchSsh(ascii("SSH")), undefined);
    assert.equal(matchSsh(ascii("SSL-")), false);
    assert.equal(matchPrefix(Uint8Array.of(0, 1))(Uint8Array.of(0, 1, 2)), true);
  });
  test("a wildcard is one label", () => {
    const matches = matchName("*.Example.org");
    assert.deepEqual(
      ["a.example.org", "a.b.example.org", "example.org", ".example.org", "aexample.org"].map(
        matches,
      ),
      [true, false, false, false, false],
    );
  });
  test("TLS is told by the name and the protocol that it wishes", async () => {
    const bytes = await helloOf({
      servername: "www.example.org",
      ALPNProtocols: ["h2", "http/1.1"],
    });
    assert.equal(matchTls()(bytes), true);
    assert.equal(matchTls({ sni: ["*.example.org"] })(bytes), true);
    assert.equal(matchTls({ sni: ["example.org"] })(bytes), false);
    assert.equal(matchTls({ alpn: ["imap", "h2"] })(bytes), true);
    assert.equal(matchTls({ sni: ["www.example.org"], alpn: ["imap"] })(bytes), false);
    assert.equal(matchTls({ sni: ["www.example.org"] })(bytes.subarray(0, 40)), undefined);
    assert.equal(matchTls()(ascii("SSH-2.0")), false);
  });
  test("the first that a peer can be is chosen, and nobody before it is undecided", async () => {
    const hello = await helloOf({ servername: "a.example.org" });
    const all = [matchTls({ sni: ["b.example.org"] }), matchTls(), matchSsh, matchHttp];
    assert.equal(firstMatch(all, hello), 1);
    assert.equal(firstMatch(all, hello.subarray(0, 20)), "undecided");
    assert.equal(firstMatch(all, ascii("SSH-")), 2);
    assert.equal(firstMatch(all, ascii("S")), "undecided");
    assert.equal(firstMatch(all, ascii("GET ")), 3);
    assert.equal(firstMatch(all, ascii("x")), -1);
    assert.equal(firstMatch(all, ascii("")), "undecided");
  });
});
