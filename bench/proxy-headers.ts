/**
 * What a PROXY header costs where it is read of what has come: µs of CPU for each connection, from its opening
 * to its close, and for each datagram. `node bench/proxy-headers.ts`, likewise `bun` and `deno run -A`. What the
 * kernel does for it, and a worker, is in `proxy-protocol.ts`.
 */
import process from "node:process";
import { SYSTEM_CLOCK } from "../runtime/core/clock.ts";
import type { Connection, DatagramSocket } from "../runtime/core/contract.ts";
import { Address } from "../runtime/core/endpoint.ts";
import {
  writeProxyVersion1,
  writeProxyVersion2,
} from "../runtime/core/prologue/write-proxy-header.ts";
import type { Service } from "../runtime/core/service.ts";
import { ProxyDatagrams } from "../runtime/services/proxy-datagrams.ts";
import { ProxyStreams } from "../runtime/services/proxy-streams.ts";

const TIMES = 50_000;
const LAPS = 9;

/** CPU of this process, in µs: others are on this machine. */
function cpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function measure(what: string, once: () => void): void {
  const laps = Array.from({ length: LAPS }, () => {
    const start = cpu();
    for (let i = 0; i < TIMES; i++) once();
    return (cpu() - start) / TIMES;
  });
  console.log(`${what.padEnd(36)} ${laps.sort((a, b) => a - b)[LAPS >> 1]!.toFixed(2)} µs`);
}

const from = { subject: "127.0.0.1", text: "127.0.0.1", action: "allow" } as const;
const plan = { from: [from], mode: "require", wait: 3000 } as const;
const service = { clock: SYSTEM_CLOCK } as unknown as Service;
const nothing = (): void => {};

const streams = new ProxyStreams(plan, service, {
  open: nothing,
  data: nothing,
  drain: nothing,
  end: nothing,
  close: nothing,
  failure: nothing,
});
const client = new Address("tcp", "192.0.2.7", 50000, "");
const balancer = new Address("tcp", "127.0.0.1", 50000, "");
const withByte = (header: Uint8Array): Uint8Array => Uint8Array.from([...header, 120]);

function connect(chunk: Uint8Array): () => void {
  return () => {
    const connection = { data: undefined, remote: balancer, local: balancer };
    streams.table.open(connection as unknown as Connection);
    streams.table.data(connection as unknown as Connection, chunk);
    streams.table.close(connection as unknown as Connection, undefined);
  };
}

measure("stream, version 1", connect(withByte(writeProxyVersion1(client, client))));
measure("stream, version 2", connect(withByte(writeProxyVersion2(client, client))));
const checked = writeProxyVersion2(client, client, { authority: "a.example" }, true);
measure("stream, version 2 with values", connect(withByte(checked)));

const datagrams = new ProxyDatagrams(plan, service, { datagram: nothing, failure: nothing });
const here = new Address("udp", "127.0.0.1", 53, "");
const socket = {} as DatagramSocket;
for (const clients of [1, 200, 4096]) {
  const chunks = Array.from({ length: clients }, (_, index) => {
    const one = new Address("udp", `192.0.2.${index & 255}`, 1024 + index, "");
    return withByte(writeProxyVersion2(one, here));
  });
  let next = 0;
  measure(`datagram, ${clients} clients in turn`, () => {
    datagrams.datagram(socket, chunks[next]!, here, here);
    next = next + 1 === clients ? 0 : next + 1;
  });
}
streams.close();
process.exit(0);
