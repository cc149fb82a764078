/** Headers of datagrams that are known: what is found is what reading it anew would give, and nothing is made for it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Address } from "../../runtime/core/endpoint.ts";
import { type ProxyHeader, readProxyHeader } from "../../runtime/core/prologue/proxy-header.ts";
import { told } from "../../runtime/core/prologue/via.ts";
import { writeProxyVersion2 } from "../../runtime/core/prologue/write-proxy-header.ts";
import { KnownHeaders } from "../../runtime/services/known-headers.ts";

const udp = (host: string, port: number): Address => new Address("udp", host, port, "");
const BALANCERS = [udp("10.0.0.1", 1), udp("10.0.0.2", 1)];
const HERE = [udp("10.0.0.9", 53), udp("10.0.0.8", 53)];

test("the same header by the same way gives the same peer, which is not made again", () => {
  const known = new KnownHeaders();
  const [from, to] = [BALANCERS[0]!, HERE[0]!];
  const bytes = writeProxyVersion2(udp("192.0.2.7", 4), udp("192.0.2.1", 53), {}, true);
  assert.equal(known.find(bytes, from, to), 0);
  const origin = { remote: from, local: to };
  known.add(bytes, bytes.length, origin, told(origin, readProxyHeader(bytes) as ProxyHeader));
  const { remote, local } = known;
  const more = new Uint8Array([...bytes, 1, 2, 3]);
  assert.equal(known.find(more, from, to), bytes.length);
  assert.equal(known.remote, remote);
  assert.equal(known.local, local);
  assert.equal(known.find(more, BALANCERS[1]!, to), 0, "another balancer");
  assert.equal(known.find(more, from, HERE[1]!), 0, "another address of ours");
  assert.equal(known.find(bytes.subarray(0, -1), from, to), 0, "a torn one");
});

test("whatever came before, what is found is what reading gives", () => {
  const header = fc.record({
    host: fc.constantFrom("192.0.2.7", "192.0.2.8", "2001:db8::7"),
    port: fc.nat(700),
    authority: fc.constantFrom("a", "b", "x".repeat(40)),
    long: fc.boolean(),
    from: fc.constantFrom(...BALANCERS),
    to: fc.constantFrom(...HERE),
  });
  fc.assert(
    fc.property(fc.array(header, { minLength: 50, maxLength: 3000 }), (headers) => {
      const known = new KnownHeaders();
      for (const { host, port, authority, long, from, to } of headers) {
        const bytes = writeProxyVersion2(
          udp(host, port),
          udp("192.0.2.1", 53),
          long ? { authority } : {},
        );
        const origin = { remote: from, local: to };
        const expected = told(origin, readProxyHeader(bytes) as ProxyHeader);
        const length = known.find(bytes, from, to);
        if (length === 0) known.add(bytes, bytes.length, origin, expected);
        else assert.equal(length, bytes.length);
        assert.deepEqual([known.remote, known.local], [expected.remote, expected.local]);
      }
    }),
    { numRuns: 20 },
  );
});
