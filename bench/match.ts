/**
 * What it costs for each connection to be told apart by its first bytes, beside the same service on a port of its own.
 * `node bench/match.ts [RUNTIME]`
 */
import { compare, QUIET } from "./connections.ts";

const HTTP = "GET / HTTP/1.1\r\n\r\n";
const SSH = "SSH-2.0-bench\r\n";
const concurrency = { strategy: "processes", workers: 1 };
const routes = (ssh: string): object[] => [
  { when: { tls: { sni: "*.example.org" } }, service: "plain" },
  { when: "http", service: "plain" },
  { when: "ssh", service: ssh },
  { otherwise: "plain" },
];

await compare({
  plain: { ...QUIET, plugin: "echo" },
  workers: { ...QUIET, plugin: "echo", concurrency },
  match: { ...QUIET, match: routes("plain") },
  // One of them needs descriptors: all of it is told apart by these.
  mixed: { ...QUIET, match: routes("workers") },
}, [
  { what: "the runtime's own server", service: undefined, says: HTTP },
  { what: "async", service: "plain", says: HTTP, base: "the runtime's own server" },
  { what: "async, matched", service: "match", says: HTTP, base: "async" },
  { what: "async, matched by descriptor", service: "mixed", says: HTTP, base: "async" },
  { what: "processes", service: "workers", says: SSH },
  { what: "processes, matched", service: "mixed", says: SSH, base: "processes" },
]);
