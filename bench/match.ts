/**
 * What it costs for each connection to be told apart by its first bytes, beside the same service on a port of its own.
 * `node bench/match.ts [RUNTIME [ROWS]]`
 */
import { readFileSync } from "node:fs";
import { certificates } from "../tests/support/certificates.ts";
import { compare, QUIET } from "./connections.ts";

const HTTP = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const SSH = "SSH-2.0-bench\r\n";
const OTHER = "hello\r\n";
const made = certificates();
const tls = { cert: "cert.pem", key: "key.pem" };
const concurrency = { strategy: "processes", workers: 1 };
/** Whoever is looked for comes behind two others. */
const routes = (http: string, ssh: string, other: object): object[] => [
  { when: { tls: { sni: "*.example.org" } }, service: "plain" },
  { when: "http", service: http },
  { when: "ssh", service: ssh },
  other,
];
const OTHERWISE = { otherwise: "plain" };
const APP = "export default { fetch: () => new Response('hello') };";

await compare({
  plain: { ...QUIET, plugin: "echo" },
  workers: { ...QUIET, plugin: "echo", concurrency },
  secure: { ...QUIET, plugin: "echo", listen: "tls://127.0.0.1:0", tls },
  web: { ...QUIET, plugin: "http", listen: "http://127.0.0.1:0", options: { app: "./app.mjs" } },
  path: { ...QUIET, plugin: "echo", listen: "unix:./path.sock" },
  match: { ...QUIET, match: routes("plain", "plain", OTHERWISE) },
  // One of them needs descriptors: all of it is told apart by these.
  mixed: { ...QUIET, match: routes("plain", "workers", OTHERWISE) },
  secured: { ...QUIET, match: routes("plain", "plain", { when: "tls", service: "secure" }) },
  requests: { ...QUIET, match: routes("web", "plain", OTHERWISE) },
  securedMixed: { ...QUIET, match: routes("plain", "workers", { when: "tls", service: "secure" }) },
  requestsMixed: { ...QUIET, match: routes("web", "workers", OTHERWISE) },
  pathsMixed: {
    ...QUIET,
    listen: "unix:./mixed.sock",
    match: routes("plain", "workers", OTHERWISE),
  },
  paths: { ...QUIET, listen: "unix:./paths.sock", match: routes("plain", "plain", OTHERWISE) },
  resets: {
    ...QUIET,
    match: routes("plain", "plain", OTHERWISE),
    limits: { overflow: "reset" },
  },
}, [
  { what: "the runtime's own server", service: undefined, says: HTTP },
  { what: "async", service: "plain", says: HTTP, base: "the runtime's own server" },
  { what: "async, matched", service: "match", says: HTTP, base: "async" },
  { what: "async, matched by descriptor", service: "mixed", says: HTTP, base: "async" },
  { what: "async, matched, overflow: reset", service: "resets", says: HTTP, base: "async" },
  { what: "async, TLS", service: "secure", says: HTTP, tls: true },
  { what: "async, TLS, matched", service: "secured", says: HTTP, tls: true, base: "async, TLS" },
  {
    what: "async, TLS, matched by descriptor",
    service: "securedMixed",
    says: HTTP,
    tls: true,
    base: "async, TLS",
  },
  { what: "async, HTTP", service: "web", says: HTTP },
  { what: "async, HTTP, matched", service: "requests", says: HTTP, base: "async, HTTP" },
  { what: "async, matched beside HTTP", service: "requests", says: OTHER, base: "async" },
  {
    what: "async, HTTP, matched by descriptor",
    service: "requestsMixed",
    says: HTTP,
    base: "async, HTTP",
  },
  { what: "async, Unix", service: "path", says: HTTP },
  { what: "async, Unix, matched", service: "paths", says: HTTP, base: "async, Unix" },
  {
    what: "async, Unix, matched by descriptor",
    service: "pathsMixed",
    says: HTTP,
    base: "async, Unix",
  },
  { what: "processes", service: "workers", says: SSH },
  { what: "processes, matched", service: "mixed", says: SSH, base: "processes" },
], {
  "app.mjs": APP,
  "cert.pem": readFileSync(made.file("server"), "utf8"),
  "key.pem": readFileSync(made.file("server", "key"), "utf8"),
});
