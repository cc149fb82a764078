/**
 * What it costs to tell one connection apart, and nothing else: from its arrival to the service that it is for, in this
 * process, without anybody who serves it. `RUNTIME bench/match-alone.ts`
 */
import { loadAdapter } from "../adapters/mod.ts";
import { Admission } from "../runtime/core/admission/admission.ts";
import { OwnSockets } from "../runtime/core/admission/own-sockets.ts";
import { Address } from "../runtime/core/endpoint.ts";
import { Log } from "../runtime/core/log.ts";
import { Gather } from "../runtime/core/stream/gather.ts";
import { Totals } from "../runtime/core/totals.ts";
import { expand } from "../runtime/manifest/expand.ts";
import { MATCH_PLUGIN } from "../runtime/manifest/match-modules.ts";
import { sourceOf } from "../runtime/manifest/load.ts";
import { startMatching } from "../runtime/matching/executor.ts";
import type { ExecutorInput } from "../runtime/services/contract.ts";
import { LoadMeter } from "../runtime/services/load.ts";
import { sinkCatalog } from "../runtime/sinks/mod.ts";

const COUNT = 40_000;
const LAPS = 9;
const adapter = await loadAdapter();
const descriptors = await adapter.descriptors();

const match = [
  { when: { tls: { sni: "*.example.org", alpn: "h2" } }, service: "a" },
  { when: "http" as const, service: "a" },
  { when: "ssh" as const, service: "a" },
  { otherwise: "a" },
];
const services = {
  front: { listen: "unix:./front.sock", match },
  a: { plugin: "echo", listen: "unix:./a.sock" },
};
const { services: [plan] } = expand(
  await sourceOf({ services }, "portico.ts", () => undefined),
  sinkCatalog,
  "none",
);
let received = 0;
let id = 0;
const input = {
  ready: { plan: plan!, plugin: MATCH_PLUGIN, options: {}, log: new Log([], () => {}) },
  host: {
    adapter,
    gather: new Gather(adapter),
    nextId: () => ++id,
    ownSockets: new OwnSockets(() => false),
    load: new LoadMeter(),
    worker: "",
    inherit: () => Promise.resolve([]),
    receiver: () => ({ receive: () => (received++, true) }),
  },
  admission: new Admission(plan!, (later) => adapter.defer(later)),
  totals: new Totals(),
  failed() {},
} satisfies ExecutorInput;
const executor = await startMatching(input);

const peer = {
  remote: new Address("tcp", "192.0.2.1", 5, ""),
  local: new Address("tcp", "192.0.2.2", 6, ""),
};
const bytes = new Uint8Array(new ArrayBuffer(1024));
const [ours, theirs] = descriptors.pair();
const said = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
bytes.set(said);
descriptors.send(theirs, bytes.subarray(0, said.length) as Uint8Array<ArrayBuffer>);

/** µs of one call, the median of the laps. */
async function lap(name: string, call: () => unknown): Promise<void> {
  const laps: number[] = [];
  for (let i = 0; i < LAPS; i++) {
    const start = performance.now();
    for (let n = 0; n < COUNT; n++) call();
    laps.push((performance.now() - start) / COUNT * 1000);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const sorted = laps.toSorted((a, b) => a - b);
  console.log(
    `${name.padEnd(44)} ${sorted[LAPS >> 1]!.toFixed(2)} µs, at best ${sorted[0]!.toFixed(2)}`,
  );
}

const runtime = adapter.name;
const head = new Uint8Array(new ArrayBuffer(16384));
await lap(`${runtime}: one look, recv(MSG_PEEK)`, () => descriptors.peek(ours, head));
await lap(`${runtime}: from its arrival to its service`, () => executor.adopt(ours, peer, {}));
if (received !== COUNT * LAPS) throw new Error(`${received} of ${COUNT * LAPS} were told apart`);
descriptors.close(ours);
descriptors.close(theirs);
await executor.end();
