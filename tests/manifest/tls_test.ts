/** `tls` of a manifest: what plans come of it, and what is told of one that is wrong. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ServicePlan } from "../../runtime/core/plan.ts";
import { expand } from "../support/manifest.ts";
import { refuses, service, type WrongManifest } from "./errors.ts";

const LISTEN = "tls://127.0.0.1:7007";

function plansOf(services: Record<string, object>, defaults: object = {}): readonly ServicePlan[] {
  const value = { defaults, services };
  return expand({ file: "/srv/portico.json", value, locate: () => undefined }).services;
}

function planOf(entries: object, defaults?: object): ServicePlan {
  return plansOf({ s: { plugin: "echo", listen: LISTEN, ...entries } }, defaults)[0]!;
}

const DEFAULTS = { alpn: [], client: "none", ca: [], minVersion: "TLSv1.2", tickets: 7_200_000 };
const pair = (name: string) => ({ cert: `/srv/${name}.crt`, key: `/srv/${name}.key` });

describe("tls of a manifest", () => {
  test("one pair, with the defaults of the rest; paths start at the manifest's folder", () => {
    const { tls, listen } = planOf({ tls: { cert: "a.crt", key: "./a.key" } });
    assert.deepEqual(tls, { certificates: [pair("a")], ...DEFAULTS });
    assert.equal(listen[0]!.tls, tls);
  });

  test("all that can be said", () => {
    const { tls } = planOf({
      tls: {
        cert: "a.crt",
        key: "a.key",
        ocsp: "a.ocsp",
        certificates: [{ cert: "b.crt", key: "b.key" }],
        folder: "/etc/live",
        default: "WWW.example",
        alpn: "h2",
        clientCertificate: "require",
        ca: "ca.pem",
        minVersion: "TLSv1.3",
        ciphers: "HIGH",
        sessionTickets: false,
      },
    });
    assert.deepEqual(tls, {
      certificates: [{ ...pair("a"), ocsp: "/srv/a.ocsp" }, pair("b")],
      folder: "/etc/live",
      default: "www.example",
      alpn: ["h2"],
      client: "require",
      ca: ["/srv/ca.pem"],
      minVersion: "TLSv1.3",
      ciphers: "HIGH",
      tickets: 0,
    });
  });

  test("tcp, unix and inherited sockets have it where they say so, and no other", () => {
    const { tls, listen } = planOf({
      tls: { cert: "a.crt", key: "a.key" },
      listen: [
        "tcp://127.0.0.1:1",
        { endpoint: "tcp://127.0.0.1:2", tls: true },
        { endpoint: "unix:./s.sock", mode: "0660", tls: true },
        { endpoint: "systemd:web", tls: true },
        { endpoint: "fd:3", tls: { alpn: ["x"] } },
        { endpoint: "tcp://127.0.0.1:4-5", tls: { cert: "b.crt", key: "b.key" } },
        "https://127.0.0.1:6",
      ],
    });
    assert.deepEqual(listen.map((each) => each.tls), [
      undefined,
      tls,
      tls,
      tls,
      { ...tls, alpn: ["x"] },
      { ...tls, certificates: [pair("b")] },
      { ...tls, certificates: [pair("b")] },
      { ...tls, alpn: ["http/1.1"] },
    ]);
    assert.deepEqual(listen[2]!.options, { mode: 0o660 });
  });

  test("a service is merged over defaults; its certificates take the place of theirs", () => {
    const defaults = { tls: { folder: "certs", default: "a", alpn: ["x"], minVersion: "TLSv1.3" } };
    assert.deepEqual(planOf({ tls: { alpn: [] } }, defaults).tls, {
      ...DEFAULTS,
      certificates: [],
      folder: "/srv/certs",
      default: "a",
      minVersion: "TLSv1.3",
    });
    assert.deepEqual(planOf({ tls: { cert: "a.crt", key: "a.key" } }, defaults).tls, {
      ...DEFAULTS,
      certificates: [pair("a")],
      alpn: ["x"],
      minVersion: "TLSv1.3",
    });
    assert.equal(planOf({ tls: "self-signed" }, defaults).tls!.certificates, "self-signed");
  });

  test("self-signed is for the hosts of all endpoints, whichever way it is said", () => {
    const listen = ["tls://127.0.0.1:1", "tls://box.example:1", "unix:./s", "tls://*:2"];
    const hosts = ["127.0.0.1", "box.example", "*"];
    const { tls } = planOf({ listen, tls: "self-signed" });
    assert.deepEqual(tls, { ...DEFAULTS, certificates: "self-signed", hosts });
    assert.deepEqual(planOf({ listen, tls: { certificates: "self-signed" } }).tls, tls);
    const beside = planOf({ listen: [{ endpoint: "tcp://box.example:1", tls: "self-signed" }] });
    assert.equal(beside.tls, undefined);
    assert.deepEqual(beside.listen[0]!.tls!.hosts, ["box.example"]);
  });

  test("a service without any is as it was", () => {
    const { tls, listen } = planOf({ listen: "tcp://127.0.0.1:1" });
    assert.deepEqual([tls, "tls" in listen[0]!], [undefined, false]);
  });
});

const REMEDY =
  'expected  "tls": { "cert": "./server.crt", "key": "./server.key" } in the service, or "tls": "self-signed" for development';
const PAIR = '"cert": "a.crt", "key": "a.key"';
const CLEAR = `"listen": "tcp://127.0.0.1:7"`;

const WRONG: readonly WrongManifest[] = [
  [
    "tls:// without a certificate",
    service("", `"listen": "${LISTEN}"`),
    `3:13  services.echo.listen\n  received  "${LISTEN}", without a certificate\n  ${REMEDY}`,
  ],
  [
    "tls beside an endpoint without a certificate",
    service("", `"listen": [{ "endpoint": "unix:./s", "tls": true }]`),
    `3:28  services.echo.listen[0].endpoint\n  received  "unix:./s", without a certificate\n  ${REMEDY}`,
  ],
  [
    "tls of a service that names no certificate",
    service(`"tls": { "alpn": ["h2"] }`, CLEAR),
    `2:10  services.echo.tls\n  received  {"alpn":["h2"]}\n  expected  a certificate: ${
      REMEDY.slice("expected  ".length)
    }`,
  ],
  [
    "a certificate without its key",
    service(`"tls": { "cert": "a.crt" }`, CLEAR),
    `2:10  services.echo.tls\n  received  "cert" without "key"\n  expected  "key": the file of its private key, PEM, which may be the same one`,
  ],
  [
    "a key without its certificate",
    service(`"tls": { "key": "a.key" }`, CLEAR),
    `2:10  services.echo.tls\n  received  "key" without "cert"\n  expected  "cert": the file of the certificate, PEM`,
  ],
  [
    "a client's certificate of nobody",
    service(`"tls": { ${PAIR}, "clientCertificate": "require" }`, CLEAR),
    `2:66  services.echo.tls.clientCertificate\n  received  "require" without "ca"\n  expected  "ca": the file of the authorities whose certificates are good`,
  ],
  [
    "another word for self-signed",
    service(`"tls": "selfsigned"`, CLEAR),
    `2:10  services.echo.tls\n  received  "selfsigned"\n  expected  "self-signed", which is for development\n  hint      did you mean "self-signed"?`,
  ],
  [
    "files beside self-signed",
    service(`"tls": { "certificates": "self-signed", "folder": "certs" }`, CLEAR),
    `2:43  services.echo.tls.folder\n  received  "folder" beside "self-signed"\n  expected  one of the two: a self-signed certificate is made, and is in no file`,
  ],
  [
    "an older version",
    service(`"tls": { ${PAIR}, "minVersion": "TLSv1.1" }`, CLEAR),
    `2:59  services.echo.tls.minVersion\n  received  "TLSv1.1"\n  expected  "TLSv1.2" or "TLSv1.3"\n  hint      did you mean "TLSv1.2"?`,
  ],
  [
    "tickets of no time",
    service(`"tls": { ${PAIR}, "sessionTickets": true }`, CLEAR),
    `2:63  services.echo.tls.sessionTickets\n  received  true\n  expected  a duration above 0, as "2h", or false`,
  ],
  [
    "a protocol without a name",
    service(`"tls": { ${PAIR}, "alpn": [""] }`, CLEAR),
    `2:54  services.echo.tls.alpn[0]\n  received  ""\n  expected  the name of a protocol, 1 to 255 bytes: h2, http/1.1, smtp`,
  ],
  [
    "a key of another name",
    service(`"tls": { ${PAIR}, "cipher": "x" }`, CLEAR),
    `2:45  services.echo.tls.cipher\n  received  the unknown key "cipher"\n  expected  one of cert, key, ocsp, certificates, folder, default, alpn, clientCertificate, ca, minVersion, ciphers, sessionTickets\n  hint      did you mean "ciphers"?`,
  ],
  [
    "TLS of datagrams",
    service(`"tls": { ${PAIR} }`, `"listen": { "endpoint": "udp://*:7", "tls": true }`),
    `3:40  services.echo.listen.tls\n  received  TLS, and "udp://*:7"\n  expected  streams only: tls, tcp, unix, and https`,
  ],
  [
    "TLS of http://",
    service(`"tls": { ${PAIR} }`, `"listen": { "endpoint": "http://*:7", "tls": true }`),
    `3:41  services.echo.listen.tls\n  received  TLS, and "http://*:7"\n  expected  https:// in the place of http://`,
  ],
  [
    "what is wrong in defaults, once for all services",
    `{ "defaults": { "tls": { "cert": "a.crt" } }, "services": {\n "a": { "plugin": "echo", ${CLEAR} },\n "b": { "plugin": "echo", "listen": "tcp://127.0.0.1:8" } } }`,
    `1:24  defaults.tls\n  received  "cert" without "key"\n  expected  "key": the file of its private key, PEM, which may be the same one`,
  ],
];

describe("tls of a manifest that is wrong", () =>
  refuses("expand", "the manifest is wrong", WRONG));
