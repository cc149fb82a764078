/** What counts as one source, and how many of it, and how often, are let in. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PREFIXES, sourceOf } from "../../runtime/core/access/source.ts";
import { Admission } from "../../runtime/core/admission/admission.ts";
import type { Candidate } from "../../runtime/core/admission/candidate.ts";
import { Rate, SourceRates } from "../../runtime/core/admission/rate.ts";
import { Address, KnownPeer } from "../../runtime/core/endpoint.ts";
import { EVERYBODY, type Limits } from "../../runtime/core/plan.ts";
import { UNLIMITED } from "../support/in-process.ts";

const plan = ({ limits }: { limits: Partial<Limits> }) => ({
  limits: { ...UNLIMITED, ...limits },
  concurrency: { max: Infinity },
  access: EVERYBODY,
});
const later = (callback: () => void): void => void setTimeout(callback, 0);
const admissionOf = (settings: { limits: Partial<Limits> }): Admission =>
  new Admission(plan(settings), later);

/** Somebody who asks. */
class Asker implements Candidate {
  readonly kind: Candidate["kind"];
  readonly weight = 0;
  readonly remote: Address;
  readonly local: Address = new Address("tcp", "127.0.0.1", 7, "");

  constructor(host: string, kind: Candidate["kind"] = "stream") {
    this.kind = kind;
    this.remote = new Address("tcp", host, 1, "");
  }

  admitted(): void {}
  refused(): void {}
}

describe("sources", () => {
  const of = (host: string, ipv4 = 32, ipv6 = 64): string =>
    sourceOf(new Address("tcp", host, 1, ""), { ipv4, ipv6 });
  test("an address of IPv4 and a /64 of IPv6 are one source, unless prefixes say otherwise", () => {
    assert.equal(of("10.1.2.3"), "10.1.2.3");
    assert.equal(of("2001:db8:1:2::3"), of("2001:db8:1:2:ffff::"));
    assert.notEqual(of("2001:db8:1:2::3"), of("2001:db8:1:3::3"));
    assert.equal(of("10.1.2.3", 24), of("10.1.2.99", 24));
    assert.notEqual(of("10.1.2.3", 24), of("10.1.3.3", 24));
    assert.equal(of("10.1.2.3", 31), of("10.1.2.2", 31));
    assert.notEqual(of("10.1.2.3", 31), of("10.1.2.4", 31));
    assert.equal(of("2001:db8::1", 32, 128), "2001:db8::1");
    assert.equal(of("2001:db8::1", 32, 0), of("fe80::1", 32, 0));
    assert.equal(of("2001:db8:1:2:3::", 32, 72), of("2001:db8:1:2:3::9", 32, 72));
    assert.notEqual(of("2001:db8:1:2:100::", 32, 72), of("2001:db8:1:2:200::", 32, 72));
    // A prefix of IPv4 is none of IPv6 with the same bits, and a mapped address is IPv4.
    assert.notEqual(of("10.0.0.1", 24, 24), of("a00::1", 24, 24));
    assert.notEqual(of("10.0.0.1", 0, 0), of("a00::1", 0, 0));
    assert.equal(of("::ffff:a01:203"), of("10.1.2.3"));
    assert.equal(of("::ffff:a01:203", 24), of("10.1.2.99", 24));
    assert.equal(of("::ffff:a01:203", 32, 128), of("10.1.2.3", 32, 128));
  });
  test("over Unix sockets a user is one, and nobody where nobody is asked", () => {
    const unix = new Address("unix", "", 0, "");
    assert.equal(sourceOf(unix, PREFIXES), "");
    const peer = new KnownPeer(unix, { uid: 1000, gid: 1, pid: 2 });
    assert.equal(sourceOf(peer, PREFIXES), "uid:1000");
  });
  test("perSource counts by prefix, also those who came while it counted otherwise", () => {
    const admission = admissionOf({ limits: { perSource: 2, source: { ipv4: 24, ipv6: 64 } } });
    const askers = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.1.1"].map((host) => new Asker(host));
    const answers = askers.map((asker) => admission.admit(asker));
    assert.deepEqual(answers.map((answer) => "limit" in answer ? answer.limit : "in"), [
      ...["in", "in", "perSource", "in"],
    ]);
    // A reload counts by address: there is room for each again.
    const next = new Admission(plan({ limits: { perSource: 2 } }), later, admission);
    next.activate();
    assert.ok("stage" in next.admit(new Asker("10.0.0.3")));
    assert.ok("stage" in next.admit(new Asker("10.0.0.1")));
    assert.deepEqual(next.admit(new Asker("10.0.0.1")), { limit: "perSource" });
  });
  test("ratePerSource is each source's own, of streams, requests and datagrams", () => {
    const admission = admissionOf({ limits: { ratePerSource: { count: 1, per: 1e9, burst: 2 } } });
    const kinds = ["stream", "http", "datagram"] as const;
    const answers = kinds.map((kind) => admission.admit(new Asker("10.0.0.1", kind)));
    assert.deepEqual(answers[2], { limit: "ratePerSource" });
    assert.ok("stage" in answers[0]! && "stage" in answers[1]!);
    assert.ok("stage" in admission.admit(new Asker("10.0.0.2")));
    // Who has no address cannot be told from others.
    for (let i = 0; i < 5; i++) assert.ok("stage" in admission.admit(new Asker("")));
  });
  test("datagramRate has the say over datagrams, ratePerSource over the rest", () => {
    const admission = admissionOf({
      limits: {
        ratePerSource: { count: 1, per: 1e9 },
        datagramRate: { count: Infinity, per: 1000 },
      },
    });
    for (let i = 0; i < 3; i++) assert.ok("stage" in admission.admit(new Asker("::1", "datagram")));
    assert.ok("stage" in admission.admit(new Asker("::1")));
    assert.deepEqual(admission.admit(new Asker("::1")), { limit: "ratePerSource" });
  });
});

describe("rates", () => {
  test("a bucket holds its burst, and is refilled by its count", () => {
    const rate = new Rate();
    const limit = { count: 100, per: 1000, burst: 5 };
    const taken = (now: number): number => {
      let count = 0;
      while (rate.allows(limit, now)) {
        rate.take();
        count++;
      }
      return count;
    };
    assert.equal(taken(10_000), 5);
    assert.equal(taken(10_020), 2);
    assert.equal(taken(10_025), 0);
    assert.equal(taken(60_000), 5);
    let second = 0;
    for (let ms = 1; ms <= 1000; ms++) second += taken(60_000 + ms);
    assert.equal(second, 100);
  });
  test("who is silent longest is forgotten first, and who goes on is not, among a million others", () => {
    const rates = new SourceRates();
    const limit = { count: 1, per: 1e12 };
    assert.equal(rates.admits("noisy", limit, 1), true);
    assert.equal(rates.admits("silent", limit, 1), true);
    for (let source = 0; source < 1_000_000; source++) {
      rates.admits(`10.${source}`, limit, 1);
      if (source % 1000 === 0) assert.equal(rates.admits("noisy", limit, 1), false);
    }
    assert.equal(rates.admits("silent", limit, 1), true, "it begins anew");
  });
});
