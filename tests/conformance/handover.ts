/** Datagram sockets handed over by descriptor, and those that only send. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { openLibc } from "../../adapters/posix/libc.ts";
import {
  AF_INET,
  AF_INET6,
  SOCK_DGRAM,
  SOCK_NONBLOCK_CLOEXEC,
} from "../../adapters/posix/linux.ts";
import { encode as encodeAddress } from "../../adapters/posix/sockaddr.ts";
import { boundName, sockaddrOf } from "../../adapters/posix/socket.ts";
import type { DatagramSocket, NamedEndpoint } from "../../runtime/core/contract.ts";
import type { Inherited } from "../../runtime/core/descriptors.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { until } from "../support/until.ts";
import { count, countBack, counted, inherited, needs } from "./door.ts";
import { encode, text } from "./harness.ts";
import { type Answer, Receiver } from "./receiver.ts";
import { both, type Case } from "./stage.ts";

const echo: Answer = (receiver, bytes, from) => void receiver.send(bytes, from);

export const handover: readonly Case[] = [
  {
    name: "who has stopped receiving still sends; who is handed the socket gets what waits",
    needs,
    async run(stage) {
      const first = await stage.bind();
      const { address } = first.socket;
      const peer = await stage.join();
      peer.send("one", address);
      await until("the first", () => first.received.length === 1);
      const fd = await first.socket.duplicate();
      await Promise.all([first.socket.stopReceiving(), first.socket.stopReceiving()]);
      peer.send("two", address);
      peer.send("three", address);
      await stage.settle();
      assert.equal(first.received.length, 1);
      assert.equal(first.send(encode("still"), peer.address), true);
      await until("it", () => peer.received.length === 1);
      const second = await stage.bind(echo, {}, inherited(fd, address));
      await until("the answers", () => peer.received.length === 3);
      assert.deepEqual(peer.received.map(text), ["still", "two", "three"]);
      assert.equal(String(second.received[0]!.from), String(peer.address));
      assert.equal(String(second.socket.address), String(address));
      first.send(encode("last"), peer.address);
      await first.socket.close(true);
      peer.send("four", address);
      await until("the answer", () => peer.received.length === 5);
      assert.deepEqual(peer.received.slice(3).map(text), ["last", "four"]);
      assert.deepEqual(first.failures, []);
      await second.close();
      if (address.path !== "") assert.equal(existsSync(address.path), false);
    },
  },
  {
    name: "stopped inside of datagram, in the middle of a burst: each datagram comes once",
    needs,
    async run(stage) {
      const stops: Promise<void>[] = [];
      const first = await stage.bind((receiver) => {
        if (receiver.received.length === 10) stops.push(receiver.socket.stopReceiving());
      });
      const { address } = first.socket;
      const fd = await first.socket.duplicate();
      const peer = await stage.join();
      for (let i = 0; i < 100; i++) peer.send(`${i}`, address);
      await until("the stop", () => stops.length === 1);
      await stops[0];
      const early = first.received.length;
      await stage.settle();
      assert.equal(first.received.length, early);
      const second = await stage.bind(() => {}, {}, inherited(fd, address));
      await until("the rest", () => early + second.received.length === 100);
      const all = [...first.received, ...second.received].map(({ bytes }) => text(bytes));
      assert.deepEqual(all, Array.from({ length: 100 }, (_, i) => `${i}`));
    },
  },
  {
    name: "a file that is somebody else's stays at close",
    only: "unixgram",
    needs,
    async run(stage) {
      const first = await stage.bind(echo);
      const { address } = first.socket;
      const second = await stage.bind(
        echo,
        {},
        inherited(await first.socket.duplicate(), address, false),
      );
      await second.close();
      const peer = await stage.join();
      peer.send("x", address);
      await until("the answer", () => peer.received.length === 1);
      assert.ok(existsSync(address.path));
    },
  },
  {
    name: "inspect tells a datagram socket",
    needs,
    async run(stage) {
      const descriptors = await stage.adapter.descriptors();
      const { socket } = await stage.bind();
      const fd = await socket.duplicate();
      const found = descriptors.inspect(fd);
      descriptors.close(fd);
      assert.ok(found.kind === "datagram");
      assert.equal(found.socket.transport, stage.transport);
      assert.equal(String(found.socket.address), String(socket.address));
    },
  },
  {
    name:
      "what has come to all addresses before the socket was ours is answered from the right one",
    only: "udp",
    needs: (harness) => both(needs(harness), harness.adapter.features.packetInfo),
    async run(stage) {
      for (const [host, family] of [["0.0.0.0", AF_INET], ["::", AF_INET6]] as const) {
        const libc = await openLibc();
        const fd = libc.socket(family, SOCK_DGRAM | SOCK_NONBLOCK_CLOEXEC, 0);
        const any = encodeAddress(new Address("udp", host, 0, ""), family)!;
        libc.bind(fd, sockaddrOf(any), any.size);
        const address = boundName(libc, fd, "datagram");
        const callers = [];
        for (const at of family === AF_INET ? ["127.0.0.5"] : ["127.0.0.5", "::1"]) {
          const caller = await stage.dial({ transport: "udp", host: at, port: address.port });
          caller.send(encode(at));
          callers.push(caller);
        }
        await stage.bind(
          (receiver, bytes, from, to) => void receiver.send(bytes, from, to),
          {},
          inherited(fd, address),
        );
        for (const { received } of callers) {
          await until("the answer", () => received.length === 1);
        }
      }
    },
  },
  {
    name: "a sender answers for a socket that another one reads",
    needs,
    async run(stage) {
      const descriptors = await stage.adapter.descriptors();
      const reader = await stage.bind();
      const { address } = reader.socket;
      const sending = new Receiver(() => {});
      const fd = await reader.socket.duplicate();
      sending.socket = descriptors.sender(fd, address, sending);
      const peer = await stage.join();
      peer.send("ask", address);
      await until("the question", () => reader.received.length === 1);
      for (let i = 0; i < 50; i++) sending.send(encode(`${i}`), reader.received[0]!.from);
      await until("the answers", () => peer.received.length === 50);
      peer.received.forEach((bytes, i) => assert.equal(text(bytes), `${i}`));
      await sending.stop(() => stage.settle());
      peer.send("again", address);
      await until("it", () => reader.received.length === 2);
      assert.equal(sending.received.length, 0);
    },
  },
  {
    name: "100 handovers leave no descriptor",
    needs: counted,
    async run(stage) {
      const table = { datagram() {}, failure() {} };
      const descriptors = await stage.adapter.descriptors();
      const round = async (): Promise<void> => {
        const bind = (endpoint: NamedEndpoint | Inherited): Promise<DatagramSocket> =>
          stage.adapter.bind(endpoint, table, {});
        const first = await bind(stage.harness.place(stage.transport) as NamedEndpoint);
        const { address } = first;
        const second = await bind(inherited(await first.duplicate(), address));
        const sender = descriptors.sender(await second.duplicate(), address, table);
        await first.stopReceiving();
        await first.close(true);
        await sender.close();
        await second.close();
      };
      await round();
      await stage.settle();
      const before = count();
      for (let i = 0; i < 100; i++) await round();
      await countBack(before);
    },
  },
];
