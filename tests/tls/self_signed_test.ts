/** The certificate for development: what it is for, and what is said of it. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { TlsPlan } from "../../runtime/core/plan.ts";
import type { Fields } from "../../runtime/core/record.ts";
import { CertificateStore } from "../../runtime/services/tls/store.ts";
import { folder } from "../support/folder.ts";
import type { Scope } from "../support/scope.ts";

function open(t: Scope) {
  const records: Fields[] = [];
  const store = new CertificateStore({
    watch: () => assert.fail("there is no file to be watched"),
    tell: (level, _, fields) => void records.push({ level, ...fields }),
  });
  t.after(() => store.close());
  return { records, store };
}

const planFor = (hosts: readonly string[], alpn: readonly string[] = []): TlsPlan => ({
  certificates: "self-signed",
  hosts,
  alpn,
  client: "none",
  ca: [],
  minVersion: "TLSv1.2",
  tickets: 0,
});

async function make(t: Scope, hosts: readonly string[]) {
  const { records, store } = open(t);
  const plan = planFor(hosts);
  const held = await store.get(plan);
  assert.equal(await store.get(plan), held);
  return { identity: held.options.identities[0]!, records, status: store.status() };
}

describe("a self-signed certificate", () => {
  test("is for this machine and for the hosts of the endpoints, for a month, and fits its key", async (t) => {
    const { identity, status } = await make(t, ["box.example", "192.0.2.1", "2001:db8::1", "*"]);
    const x509 = new X509Certificate(identity.cert);
    const names = x509.subjectAltName!.replaceAll("0:0:0:0:0:0:0:1", "::1")
      .replace("2001:DB8:0:0:0:0:0:1", "2001:db8::1").split(", ");
    assert.deepEqual(names, [
      "DNS:localhost",
      "IP Address:127.0.0.1",
      "IP Address:::1",
      "DNS:box.example",
      "IP Address:192.0.2.1",
      "IP Address:2001:db8::1",
    ]);
    assert.deepEqual(identity.names, ["localhost", "box.example"]);
    const days = (Date.parse(x509.validTo) - Date.now()) / 86_400_000;
    assert.ok(days > 29 && days < 31, String(days));
    assert.equal(x509.ca, false);
    assert.equal("file" in status[0]!, false);
    // What another library makes of it.
    const home = folder(t, { "s.pem": identity.cert, "s.key": identity.key });
    const openssl = (words: string): string =>
      execFileSync("openssl", words.split(" "), { cwd: home, encoding: "utf8" });
    assert.match(openssl(`verify -CAfile ${join(home, "s.pem")} s.pem`), /OK/);
    assert.equal(openssl("pkey -in s.key -pubout"), openssl("x509 -in s.pem -noout -pubkey"));
    assert.match(openssl("x509 -in s.pem -noout -text"), /TLS Web Server Authentication/);
  });

  test("is told of loudly, with its fingerprint; once more where strangers see it", async (t) => {
    const { records: [first, ...more], status, identity } = await make(t, ["127.0.0.1"]);
    assert.deepEqual([first!["level"], first!["fingerprint"]], ["warn", status[0]!.fingerprint]);
    assert.match(String(first!["message"]), /self-signed .* for development: no client trusts it/);
    assert.deepEqual(more, []);
    assert.doesNotMatch(JSON.stringify([first, status]), /PRIVATE/);
    assert.ok(identity.key.includes("PRIVATE"));
    for (const host of ["0.0.0.0", "*", "::", "box.example"]) {
      const { records } = await make(t, [host]);
      assert.match(String(records[1]!["message"]), /which strangers reach/, host);
    }
  });

  test("is one for the same hosts, however TLS is spoken there, and is forgotten with the last", async (t) => {
    const { records, store } = open(t);
    const [streams, requests] = [planFor(["a.example"]), planFor(["a.example"], ["http/1.1"])];
    const all = await Promise.all([streams, requests].map(store.get));
    const certs = all.map(({ options }) => options.identities[0]!.cert);
    assert.equal(certs[0], certs[1]);
    assert.equal(store.status().length, 1);
    assert.equal(records.length, 2, "a warning, and one for strangers");
    const other = await store.get(planFor(["b.example"]));
    assert.notEqual(other.options.identities[0]!.cert, certs[0]);
    store.keep([requests]);
    assert.equal((await store.get(streams)).options.identities[0]!.cert, certs[0]);
    store.keep([]);
    assert.notEqual((await store.get(streams)).options.identities[0]!.cert, certs[0]);
  });
});
