/**
 * What tables by source weigh when 10 million addresses come one after the other:
 *
 *     node bench/sources.ts [--runtime node|node24|deno|bun]... [--count 10000000]
 *
 * Each asks the admission of a service once, is let in or not, and is gone. The resident memory of a
 * process of its own is told before, at its highest, and afterwards.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { memoryUsage } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Admission, type AdmissionPlan } from "../runtime/core/admission/admission.ts";
import type { Candidate } from "../runtime/core/admission/candidate.ts";
import { Address } from "../runtime/core/endpoint.ts";
import { EVERYBODY, type Limits } from "../runtime/core/plan.ts";
import { LIMITS } from "../runtime/manifest/limits.ts";
import type { RuntimeName } from "./case.ts";
import { find } from "./runtimes.ts";

/** The limits that have a table, and a service without one. */
const TABLES: Readonly<Record<string, Partial<Limits>>> = {
  none: {},
  perSource: { perSource: 3 },
  ratePerSource: { ratePerSource: { count: 10, per: 1000, burst: 20 } },
};
/** Addresses before the first weighing: they pay for code and pools. */
const FIRST = 100_000;

const { values } = parseArgs({
  options: {
    runtime: { type: "string", multiple: true, default: ["node", "deno", "bun"] },
    count: { type: "string", default: "10000000" },
    /** In this process: the name of a table. */
    here: { type: "string" },
  },
});
const count = Number(values.count);

/** Of this process, in MB of 10^6 bytes: as it is now, as it was at most, and what of its heap is in use. */
function resident(): { now: number; most: number; heap: number } {
  const status = readFileSync("/proc/self/status", "latin1");
  const of = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)![1]) * 1024 / 1e6;
  return { now: of("VmRSS"), most: of("VmHWM"), heap: memoryUsage().heapUsed / 1e6 };
}

async function collect(): Promise<void> {
  const { gc, Bun } = globalThis as { gc?: () => void; Bun?: { gc(sync: boolean): void } };
  for (let i = 0; i < 4; i++) {
    gc?.();
    Bun?.gc(true);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What an address is that comes as the `n`th. */
function hostOf(n: number): string {
  return `${1 + (n >>> 24)}.${n >>> 16 & 255}.${n >>> 8 & 255}.${n & 255}`;
}

async function measure(limits: Partial<Limits>): Promise<Record<string, number>> {
  const plan: AdmissionPlan = {
    limits: { ...LIMITS, ...limits },
    concurrency: { max: Infinity },
    access: EVERYBODY,
  } as unknown as AdmissionPlan;
  const admission = new Admission(plan, (callback) => queueMicrotask(callback));
  const local = new Address("tcp", "127.0.0.1", 7, "");
  const come = async (from: number, to: number): Promise<void> => {
    for (let n = from; n < to; n++) {
      const candidate: Candidate = {
        kind: "stream",
        weight: 0,
        remote: new Address("tcp", hostOf(n), 1, ""),
        local,
        admitted() {},
        refused() {},
      };
      const answer = admission.admit(candidate);
      if ("stage" in answer) answer.release();
      // As a server does between two rounds of its event loop.
      if (n % 10_000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await come(0, FIRST);
  await collect();
  const before = resident();
  const began = performance.now();
  await come(FIRST, FIRST + count);
  const nanoseconds = (performance.now() - began) * 1e6 / count;
  const { most } = resident();
  await collect();
  const after = resident();
  return {
    before: before.now,
    most,
    after: after.now,
    heap: after.heap - before.heap,
    nanoseconds,
  };
}

if (values.here === undefined) {
  const million = (count / 1e6).toLocaleString("en");
  console.log(
    `RSS in MB before and after ${million} million addresses, what the heap in use has grown by; ns for each`,
  );
  console.log("| runtime | limit | before | most | after | heap | ns |");
  console.log("| --- | --- | --: | --: | --: | --: | --: |");
  for (const name of values.runtime) {
    const { program, flags, collect: collecting, version } = find(name as RuntimeName);
    for (const table of Object.keys(TABLES)) {
      const self = fileURLToPath(import.meta.url);
      const words = [...flags, ...collecting, self, "--here", table, "--count", String(count)];
      const told = JSON.parse(execFileSync(program, words, { encoding: "utf8" }));
      const cells = ["before", "most", "after", "heap", "nanoseconds"].map((key) =>
        told[key].toFixed(0)
      );
      console.log(`| ${[`${name} ${version}`, table, ...cells].join(" | ")} |`);
    }
  }
} else {
  console.log(JSON.stringify(await measure(TABLES[values.here]!)));
}
