/**
 * What rules about names cost for each accept, when the name is known: `node bench/names.ts`, likewise on
 * the other runtimes. In nanoseconds, the median of laps in turn, over 1,024 addresses.
 */
import process from "node:process";
import { AccessRules } from "../runtime/core/access/rules.ts";
import { SYSTEM_CLOCK } from "../runtime/core/clock.ts";
import { Address } from "../runtime/core/endpoint.ts";
import { HostNames } from "../runtime/core/names/hosts.ts";
import { PeerNames } from "../runtime/core/names/peers.ts";
import { NamedRules } from "../runtime/core/names/rules.ts";
import type { Resolver } from "../runtime/core/names/resolver.ts";
import type { AccessRule } from "../runtime/core/plan.ts";

const PEERS = 1024;
const LAPS = 15;
const LOOKS = 200_000;

const addresses = Array.from({ length: PEERS }, (_, n) => `10.0.${n >> 8}.${n & 255}`);
const remotes = addresses.map((host) => new Address("tcp", host, 1, ""));
/** Each address has a name, of three labels and of five. */
const resolver: Resolver = {
  addresses: (name) =>
    Promise.resolve({ values: [name.split(".")[0]!.replaceAll("-", ".")], ttl: 1e9 }),
  names: (address) =>
    Promise.resolve({ values: [`${address.replaceAll(".", "-")}.a.b.example.org`], ttl: 1e9 }),
};

function rulesOf(allow: readonly string[], deny: readonly string[]): AccessRules {
  const of = (action: AccessRule["action"]) => (subject: string): AccessRule => ({
    action,
    subject,
    text: subject,
  });
  return new AccessRules({
    rules: [...allow.map(of("allow")), ...deny.map(of("deny"))],
    others: allow.length === 0,
  });
}

async function named(rules: AccessRules): Promise<NamedRules> {
  const names = new NamedRules(rules, {
    hosts: new HostNames(resolver, SYSTEM_CLOCK),
    peers: new PeerNames(resolver, SYSTEM_CLOCK, () => 5000),
  });
  await names.begin(() => {});
  await Promise.all(
    addresses.map((address) => new Promise<void>((told) => void names.peers.ask(address, 0, told))),
  );
  return names;
}

const ranges = Array.from({ length: 10 }, (_, n) => `172.16.${n}.0/24`);
const hosts = addresses.slice(0, 512).map((address) => `host:${address.replaceAll(".", "-")}`);
const plain = rulesOf([...ranges, "10.0.0.0/8"], []);
const cases: [string, { decide(remote: Address, wall: number): unknown }][] = [
  ["10 ranges", plain],
  [
    "a domain that nobody is in, of peers in an allowed range",
    await named(rulesOf([...ranges, "10.0.0.0/8", "domain:example.net"], [])),
  ],
  ["512 hosts", await named(rulesOf([...ranges, ...hosts], []))],
  ["a domain", await named(rulesOf([...ranges, "domain:example.org"], []))],
  [
    "a denied domain beside an allowed range",
    await named(rulesOf(["10.0.0.0/8"], ["domain:c.example.org"])),
  ],
];
const laps = cases.map((): number[] => []);
for (let lap = -3; lap < LAPS; lap++) {
  for (const [index, [, rules]] of cases.entries()) {
    const began = performance.now();
    let served = 0;
    for (let n = 0; n < LOOKS; n++) if (rules.decide(remotes[n & (PEERS - 1)]!, 0)) served++;
    const took = (performance.now() - began) * 1e6 / LOOKS;
    if (served !== LOOKS) throw new Error("a name is not known");
    if (lap >= 0) laps[index]!.push(took);
  }
}
for (const [index, [name]] of cases.entries()) {
  const sorted = laps[index]!.sort((a, b) => a - b);
  console.log(`${Math.round(sorted[LAPS >> 1]!)} ns  ${name}`);
}
process.exit(0);
