/**
 * What a PROXY header costs for each connection, beside the same service without: the reading of its bytes in the kernel,
 * too. `node bench/proxy-protocol.ts [RUNTIME]`
 */
import { Address } from "../runtime/core/endpoint.ts";
import {
  writeProxyVersion1,
  writeProxyVersion2,
} from "../runtime/core/prologue/write-proxy-header.ts";
import { compare, QUIET } from "./connections.ts";

const concurrency = { strategy: "processes", workers: 1 };
const proxyProtocol = { from: ["127.0.0.1"] };
const match = [{ when: { prefix: "x" }, service: "plain" }];
const peer = new Address("tcp", "192.0.2.7", 50000, "");
const said = (header: Uint8Array): Uint8Array => Uint8Array.from([...header, 120]);
const v1 = said(writeProxyVersion1(peer, peer));
const v2 = said(writeProxyVersion2(peer, peer));

await compare({
  plain: { ...QUIET, plugin: "echo" },
  proxied: { ...QUIET, plugin: "echo", proxyProtocol },
  matched: { ...QUIET, match, proxyProtocol },
  workers: { ...QUIET, plugin: "echo", concurrency },
  proxiedWorkers: { ...QUIET, plugin: "echo", concurrency, proxyProtocol },
}, [
  { what: "the runtime's own server", service: undefined, says: "x" },
  { what: "async", service: "plain", says: "x", base: "the runtime's own server" },
  { what: "async, version 1", service: "proxied", says: v1, base: "async" },
  { what: "async, version 2", service: "proxied", says: v2, base: "async" },
  { what: "async, version 2, then matched", service: "matched", says: v2, base: "async" },
  { what: "processes", service: "workers", says: "x" },
  { what: "processes, version 2", service: "proxiedWorkers", says: v2, base: "processes" },
]);
