/**
 * What bans cost: `node bench/bans.ts`, or `bun`, or `deno run -A`. One look of the admission, with none and
 * with many in force, over addresses that are not banned and that are; and memory with as many as there can
 * be, while ten million addresses attack.
 */
import process from "node:process";
import type { Candidate } from "../runtime/core/admission/candidate.ts";
import { SENSOR } from "../runtime/core/admission/gate.ts";
import { PREFIXES } from "../runtime/core/access/source.ts";
import { Address } from "../runtime/core/endpoint.ts";
import type { BanPlan, ServicePlan } from "../runtime/core/plan.ts";
import { Bans } from "../runtime/services/bans/bans.ts";

const LOOKS = 300_000;
const HOUR = 3_600_000;
const MOST = 10_000;
const ATTACKERS = Number(process.argv[2] ?? 10_000_000);

const text = (word: number): string => [24, 16, 8, 0].map((at) => word >>> at & 255).join(".");
const candidate = (host: string): Candidate => ({
  kind: "stream",
  remote: new Address("tcp", host, 1, ""),
  local: new Address("tcp", "127.0.0.1", 7, ""),
  weight: 0,
  admitted() {},
  refused() {},
});
const fresh = Array.from({ length: 1024 }, (_, i) => candidate(text(0xc0000000 + i * 7919)));
const fresh6 = fresh.map((_, i) => candidate(`2001:db8:${i.toString(16)}::1`));

function made(count: number, prefix = ""): Bans {
  const bans = new Bans();
  bans.configure({ most: MOST, never: [] }, []);
  for (let i = 0; i < count; i++) bans.ban(`${text(0x0a000000 + i)}${prefix}`, HOUR, "bench");
  return bans;
}

/** Nanoseconds of one look, as the admission does it: the median of some rounds. */
function cost(bans: Bans, who: readonly Candidate[]): number {
  const rounds: number[] = [];
  let refused = 0;
  for (let round = 0; round < 7; round++) {
    const start = performance.now();
    for (let i = 0; i < LOOKS; i++) {
      if (bans.asks && bans.refuses(who[i & 1023]!, PREFIXES) !== undefined) refused++;
    }
    rounds.push((performance.now() - start) * 1e6 / LOOKS);
  }
  if (refused > 0 && refused !== 7 * LOOKS) throw new Error(`${refused} were refused`);
  return rounds.sort((a, b) => a - b)[3]!;
}

const megabytes = (): number => {
  const { gc, Bun } = globalThis as { gc?: () => void; Bun?: { gc(force: boolean): void } };
  gc?.();
  Bun?.gc(true);
  return process.memoryUsage().heapUsed / 1e6;
};

const banned = Array.from({ length: 1024 }, (_, i) => candidate(text(0x0a000000 + i)));
/** Nothing of it is left when it has returned. */
function looks(): void {
  console.log("nanoseconds of one look");
  for (const count of [0, 1, MOST]) {
    const bans = made(count);
    console.log(
      `  ${count} bans: IPv4 ${cost(bans, fresh).toFixed(0)}, IPv6 ${
        cost(bans, fresh6).toFixed(0)
      }`,
    );
    bans.close();
  }
  const full = made(MOST);
  console.log(`  ${MOST} bans, who is banned: ${cost(full, banned).toFixed(0)}`);
  full.close();
  const six = new Bans();
  six.configure({ most: MOST, never: [] }, []);
  for (let i = 0; i < MOST; i++) six.ban(`2001:db9:${i.toString(16)}::/64`, HOUR, "bench");
  console.log(
    `  ${MOST} bans of IPv6: IPv4 ${cost(six, fresh).toFixed(0)}, IPv6 ${
      cost(six, fresh6).toFixed(0)
    }`,
  );
  six.close();
}

looks();
const before = megabytes();
const attacked = new Bans();
attacked.configure({ most: MOST, never: [] }, []);
const ban: BanPlan = {
  after: { count: 5, per: 60_000, text: "5 refusals in 1m" },
  for: HOUR,
  datagrams: false,
};
const plan = { name: "s", limits: { source: PREFIXES }, ban } as unknown as ServicePlan;
const offended = attacked.offendedBy(plan);
for (let i = 0; i < MOST; i++) {
  offended(
    { id: i, kind: "stream", remote: new Address("tcp", text(0x0a000000 + i), 1, "") },
    SENSOR,
  );
}
console.log(`memory: ${MOST} bans ${(megabytes() - before).toFixed(1)} MB`);
const start = performance.now();
for (let i = 0; i < ATTACKERS; i++) {
  const remote = new Address("tcp", text(0x20000000 + i), 1, "");
  offended({ id: i, kind: "stream", remote }, { rule: "verify" });
}
const took = (performance.now() - start) * 1e6 / ATTACKERS;
console.log(
  `  one offence each of ${ATTACKERS} addresses: ${(megabytes() - before).toFixed(1)} MB, ${
    took.toFixed(0)
  } ns each`,
);
const sensed = performance.now();
for (let i = 0; i < ATTACKERS / 10; i++) {
  const remote = new Address("tcp", text(0x40000000 + i), 1, "");
  offended({ id: i, kind: "stream", remote }, SENSOR);
}
console.log(
  `  and ${ATTACKERS / 10} more at a sensor, ${
    ((performance.now() - sensed) * 1e7 / ATTACKERS).toFixed(0)
  } ns each: ${attacked.size} bans, ${(megabytes() - before).toFixed(1)} MB`,
);
attacked.close();
