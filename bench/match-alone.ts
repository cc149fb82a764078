/**
 * What it costs to tell one connection apart, and nothing else: from its arrival to the service that it is for, in this
 * process, without anybody who serves it. Of one that the runtime has read: from its opening to its close.
 * `RUNTIME bench/match-alone.ts`
 */
import process from "node:process";
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
import { Crossroads } from "../runtime/matching/crossroads.ts";
import { HeldPeers } from "../runtime/matching/held.ts";
import type { Connection } from "../runtime/core/contract.ts";
import { Service } from "../runtime/core/service.ts";
import type { ExecutorInput, Receiver } from "../runtime/services/contract.ts";
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
const nothing = (): void => {};
const table = {
  open: nothing,
  data: nothing,
  drain: nothing,
  end: nothing,
  close: nothing,
  failure: nothing,
};
let received = 0;
const receiver: Receiver = {
  takes: () => true,
  receive(arrival) {
    received++;
    if (!("fd" in arrival)) arrival.open(table);
    return true;
  },
};
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
    receiver: () => receiver,
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

/** CPU of this process, in µs: others are on this machine. */
function cpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** µs of one call, the median of the laps. */
async function lap(name: string, call: () => unknown): Promise<void> {
  const laps: number[] = [];
  for (let i = 0; i < LAPS; i++) {
    const start = cpu();
    for (let n = 0; n < COUNT; n++) call();
    laps.push((cpu() - start) / COUNT);
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
const { ready, host, admission, totals } = input;
const { gather, nextId } = host;
const { lends } = adapter.features;
const service = new Service({
  ...{ plan: plan!, hooks: {}, log: ready.log, gather, nextId, totals, lends },
});
const peers = new HeldPeers(
  new Crossroads(plan!.match!, service, host.receiver, undefined),
  service,
  admission,
  false,
  false,
).table;
await lap(`${runtime}: the same, of what was read`, () => {
  const connection = { ...peer, data: undefined } as unknown as Connection;
  peers.open(connection);
  peers.data(connection, said);
  peers.close(connection, undefined);
});
const told = COUNT * LAPS * 2;
if (received !== told) throw new Error(`${received} of ${told} were told apart`);
descriptors.close(ours);
descriptors.close(theirs);
await executor.end();
