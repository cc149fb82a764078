/** Socket options: each is there and has its effect, or is refused with a reason. */
import assert from "node:assert/strict";
import { descriptorOf } from "../../adapters/posix/find-descriptor.ts";
import { ffiSupport, openLibc } from "../../adapters/posix/libc.ts";
import type { Libc } from "../../adapters/posix/libc.ts";
import { SOL_TCP, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL } from "../../adapters/posix/linux.ts";
import { familyOf, getOption } from "../../adapters/posix/options.ts";
import { NAME_BYTES, readName } from "../../adapters/posix/sockaddr.ts";
import type { OptionName, SocketOptions, Support } from "../../runtime/core/contract.ts";
import { missing } from "../../runtime/core/contract.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import { until } from "../support/until.ts";
import type { Harness, Tested } from "./harness.ts";
import type { Case } from "./stage.ts";
import { both } from "./stage.ts";

/** A value that is not the default, and what is read back: of the listener, or of a connection. */
interface Sample {
  readonly value: NonNullable<SocketOptions[OptionName]>;
  readonly found: string;
  readonly of?: "connection";
}

const SAMPLES: Readonly<Partial<Record<OptionName, Sample>>> = {
  backlog: { value: 7, found: "7" },
  noDelay: { value: false, found: "false", of: "connection" },
  keepAlive: { value: 77_000, found: "77s", of: "connection" },
  receiveBuffer: { value: 50_000, found: "100000" },
  sendBuffer: { value: 40_000, found: "80000" },
  reusePort: { value: true, found: "true" },
  ttl: { value: 9, found: "9" },
  broadcast: { value: true, found: "true" },
  multicastTtl: { value: 5, found: "5" },
  multicastLoopback: { value: false, found: "false" },
  device: { value: "lo", found: "lo" },
  deferAccept: { value: 1000, found: "1000ms" },
  fastOpen: { value: 11, found: "11" },
  userTimeout: { value: 5000, found: "5000ms" },
  dscp: { value: 46, found: "46" },
};

/** The descriptor of the one connection whose local end is `address`. */
function acceptedAt(libc: Libc, address: Address): number {
  const name = new Uint8Array(new ArrayBuffer(NAME_BYTES));
  const listener = descriptorOf(libc, "listener", address);
  const word = new Uint8Array(new ArrayBuffer(4));
  for (let fd = 3; fd < 4096; fd++) {
    if (fd === listener || libc.getsockopt(fd, 1, 3, word) < 0 || word[0] !== 1) continue;
    const size = libc.getsockname(fd, name);
    if (size > 2 && String(readName(name, size)).endsWith(`:${address.port}`)) return fd;
  }
  return -1;
}

/** The backlog of a listener: `tcpi_sacked` of struct tcp_info says it while a socket listens. */
function backlogOf(libc: Libc, fd: number): string {
  const info = new Uint8Array(new ArrayBuffer(64));
  assert.ok(libc.getsockopt(fd, 6, 11, info) > 28);
  return String(new Uint32Array(info.buffer)[7]);
}

const readable = ({ kernel }: Harness): Support => both(kernel, ffiSupport());

function offers(name: OptionName) {
  return (harness: Harness, transport: Tested): Support =>
    both(
      readable(harness),
      harness.adapter.features.options[name][transport] ??
        { reason: `${name} has no meaning for ${transport}` },
    );
}

async function check(
  name: OptionName,
  { found, value }: Sample,
  libc: Libc,
  fd: number,
): Promise<void> {
  assert.ok(fd >= 0, "the descriptor");
  const actual = name === "backlog"
    ? backlogOf(libc, fd)
    : getOption(libc, fd, familyOf(libc, fd), name);
  assert.equal(actual, found, `${name} ${value}`);
  await Promise.resolve();
}

export const streamOptions: readonly Case[] = Object.entries(SAMPLES)
  .filter(([name]) => !/broadcast|multicast/.test(name))
  .map(([key, sample]): Case => {
    const name = key as OptionName;
    return {
      name: `${name} is what the kernel says afterwards`,
      only: "tcp",
      needs: offers(name),
      async run(stage) {
        const libc = await openLibc();
        const server = await stage.listen({}, { [name]: sample.value });
        const { address } = server.listener;
        if (sample.of === undefined) {
          return await check(name, sample, libc, descriptorOf(libc, "listener", address));
        }
        await stage.connect(server);
        await server.connection(0);
        await check(name, sample, libc, acceptedAt(libc, address));
      },
    };
  });

export const keepAlive: readonly Case[] = ([
  [1000, [1, 1, 3]],
  [15_000, [15, 2, 8]],
  [77_000, [77, 8, 10]],
] as const).map(([value, expected]) => ({
  name: `keepAlive of ${value} ms gives up a peer that is gone after about as long again`,
  only: "tcp",
  needs: offers("keepAlive"),
  async run(stage) {
    const libc = await openLibc();
    const server = await stage.listen({}, { keepAlive: value });
    await stage.connect(server);
    await server.connection(0);
    const fd = acceptedAt(libc, server.listener.address);
    const word = new Int32Array(new ArrayBuffer(4));
    const found = [TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT].map((option) => {
      libc.getsockopt(fd, SOL_TCP, option, new Uint8Array(word.buffer));
      return word[0];
    });
    assert.deepEqual(found, expected);
  },
}));

/** What a connection has where nobody says anything, a moment after the start; and where it was said. */
export const protection: readonly Case[] = ([
  ["found in minutes when nobody says anything", undefined, ["120s", "240000ms"]],
  ["left alone where keepAlive is off", 0, ["0", "0"]],
] as const).map(([text, keepAlive, expected]) => ({
  name: `a peer that vanishes is ${text}`,
  only: "tcp",
  needs: offers("userTimeout"),
  async run(stage) {
    const libc = await openLibc();
    const options = keepAlive === undefined ? {} : { keepAlive };
    const { listener } = await stage.listen({}, options);
    const fd = descriptorOf(libc, "listener", listener.address);
    const found = () =>
      (["keepAlive", "userTimeout"] as const).map((name) =>
        getOption(libc, fd, familyOf(libc, fd), name)
      );
    await until("the options", () => found().join() === expected.join());
    if (keepAlive === 0) await new Promise((resolve) => setTimeout(resolve, 200));
    assert.deepEqual(found(), expected);
  },
}));

export const datagramOptions: readonly Case[] = Object.entries(SAMPLES)
  .filter(([name]) => !/backlog|noDelay|keepAlive|deferAccept|fastOpen|userTimeout/.test(name))
  .flatMap(([key, sample]): Case[] => {
    const name = key as OptionName;
    return (["udp", "unixgram"] as const).map((only) => ({
      name: `${name} is what the kernel says afterwards`,
      only,
      needs: offers(name),
      async run(stage) {
        const libc = await openLibc();
        const receiver = await stage.bind(
          (receiver, bytes, from) => void receiver.send(bytes, from),
          { [name]: sample.value },
        );
        const fd = descriptorOf(libc, "datagram", receiver.socket.address);
        await check(name, sample, libc, fd);
        const peer = await stage.join();
        peer.send("hello", receiver.socket.address);
        await until("the answer", () => peer.received.length === 1);
      },
    }));
  }).filter((each) => each.only === "udp" || /Buffer/.test(each.name));

export const noDelay: readonly Case[] = [
  {
    name: "noDelay is on when nothing is said",
    only: "tcp",
    needs: offers("noDelay"),
    async run(stage) {
      const libc = await openLibc();
      const { server } = await stage.pair();
      const fd = acceptedAt(libc, server.listener.address);
      await check("noDelay", { value: true, found: "true" }, libc, fd);
    },
  },
  {
    name: "ipv6Only keeps IPv4 out",
    only: "tcp",
    needs: (harness, transport) => both(harness.kernel, offers("ipv6Only")(harness, transport)),
    async run(stage) {
      const server = await stage.listen({}, { ipv6Only: true }, {
        transport: "tcp",
        host: "*",
        port: 0,
      });
      await stage.connect(server, { host: "::1" });
      await assert.rejects(async () => await stage.connect(server, { host: "127.0.0.1" }));
    },
  },
  {
    name: "reusePort lets two share a port",
    only: "tcp",
    needs: offers("reusePort"),
    async run(stage) {
      const first = await stage.listen({}, { reusePort: true });
      const { host, port } = first.listener.address;
      const second = await stage.listen({}, { reusePort: true }, { transport: "tcp", host, port });
      for (let i = 0; i < 40; i++) await stage.connect(first);
      await until(
        "40 connections",
        () => first.connections.length + second.connections.length === 40,
      );
      assert.ok(first.connections.length > 0 && second.connections.length > 0);
    },
  },
];

/** What an adapter does not offer, it says why. */
export const refusals: readonly Case[] = [
  {
    name: "an option that is not offered is refused with a reason",
    run(stage) {
      const { features } = stage.adapter;
      const endpoint = stage.harness.place(stage.transport);
      for (const [key, sample] of Object.entries(SAMPLES)) {
        const name = key as OptionName;
        const support = features.options[name][stage.transport];
        const found = missing(features, endpoint, { [name]: sample.value });
        if (support === true) assert.deepEqual(found, []);
        else {
          assert.equal(found.length, 1, name);
          assert.equal(found[0]!.what, name);
          assert.ok(found[0]!.reason.length > 10, found[0]!.reason);
        }
      }
      return Promise.resolve();
    },
  },
];
