/** Datagrams, one by one and in bursts. */
import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import type { Support } from "../../runtime/core/contract.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { until } from "../support/until.ts";
import { assertBytes, encode, pattern, text } from "./harness.ts";
import type { Answer } from "./receiver.ts";
import type { Case } from "./stage.ts";
import { both, kernel } from "./stage.ts";

const echo: Answer = (receiver, bytes, from) => void receiver.send(bytes, from);

const LARGEST = 65507;

/** What is bound, and where it can be asked then. */
const ASKED: readonly (readonly [string, readonly string[]])[] = [
  ["0.0.0.0", ["127.0.0.5", "127.0.0.1"]],
  ["*", ["127.0.0.5", "::1", "127.0.0.1"]],
  ["::", ["127.0.0.6", "::1"]],
];

/** An address of ours that means something on one interface alone. */
const linkLocal =
  Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.filter(({ address, family, scopeid }) =>
      family === "IPv6" && scopeid && address.startsWith("fe80:")
    ).map(({ address }) => `${address.replace(/%.*$/, "")}%${name}`)
  )[0];
const LINK_LOCAL: Support = linkLocal !== undefined || {
  reason: "this machine has no link-local address",
};

export const datagrams: readonly Case[] = [
  {
    name: "an answer goes to who has asked; from and address are right",
    async run(stage) {
      const receiver = await stage.bind(echo);
      const { address } = receiver.socket;
      const peers = [await stage.join(), await stage.join()];
      for (let i = 0; i < 20; i++) {
        for (const peer of peers) {
          peer.send(`${peer.address} ${i}`, address);
          await until("the answer", () => peer.received.length === i + 1);
          assert.equal(text(peer.received[i]!), `${peer.address} ${i}`);
        }
      }
      assert.equal(String(receiver.received[0]!.from), String(peers[0]!.address));
      assert.equal(String(receiver.received[1]!.from), String(peers[1]!.address));
      assert.ok(receiver.received[0]!.from instanceof Address);
      assert.deepEqual(receiver.failures, []);
    },
  },
  {
    name: "0 and 65,507 bytes go both ways",
    async run(stage) {
      const receiver = await stage.bind(echo);
      const peer = await stage.join();
      const sent = [0, 1, 1472, 9000, LARGEST, 0].map((length, i) => pattern(length, i));
      for (const [i, bytes] of sent.entries()) {
        peer.send(bytes, receiver.socket.address);
        await until(`${bytes.length} bytes`, () => peer.received.length === i + 1);
        assertBytes(receiver.received[i]!.bytes, bytes, "there");
        assertBytes(peer.received[i]!, bytes, "and back");
      }
    },
  },
  {
    name: "one that is too large is refused: false, EMSGSIZE, and the next one goes out",
    async run(stage) {
      const receiver = await stage.bind();
      const peer = await stage.join();
      const large = stage.transport === "udp" ? LARGEST + 1 : 8 * 1024 * 1024;
      assert.equal(receiver.send(new Uint8Array(large), peer.address), false);
      assert.equal(receiver.failures.length, 0);
      await until("the failure", () => receiver.failures.length === 1);
      assert.equal(receiver.failures[0]!.code, "EMSGSIZE");
      assert.equal(receiver.send(encode("small"), peer.address), true);
      await until("the next one", () => peer.received.length === 1);
      assert.equal(text(peer.received[0]!), "small");
      assert.equal(receiver.failures.length, 1);
    },
  },
  {
    name: "over IPv6 a datagram may have 65,527 bytes, and no more",
    only: "udp",
    needs: kernel,
    async run(stage) {
      const receiver = await stage.bind(() => {}, {}, { transport: "udp", host: "::1", port: 0 });
      const peer = await stage.join("::1");
      const largest = pattern(LARGEST + 20);
      assert.equal(receiver.send(new Uint8Array(LARGEST + 21), peer.address), false);
      assert.equal(receiver.send(largest, peer.address), true);
      await until("the datagram", () => peer.received.length === 1);
      assertBytes(peer.received[0]!, largest, "received");
      await until("the failure", () => receiver.failures.length === 1);
      assert.equal(receiver.failures[0]!.code, "EMSGSIZE");
    },
  },
  {
    name: "bytes may be reused as soon as send has returned, inside and outside of datagram",
    async run(stage) {
      const buffer = new Uint8Array(8);
      const receiver = await stage.bind((receiver, bytes, from) => {
        buffer.set(bytes);
        receiver.send(buffer, from);
        buffer.fill(0xff);
      });
      const peer = await stage.join();
      for (let i = 0; i < 20; i++) peer.send(encode(`inside${i % 10}x`), receiver.socket.address);
      await until("the answers", () => peer.received.length === 20);
      for (let i = 0; i < 20; i++) {
        buffer.set(encode(`outside${i % 10}`));
        receiver.send(buffer, peer.address);
        buffer.fill(0xff);
      }
      await until("the rest", () => peer.received.length === 40);
      peer.received.forEach((bytes, i) =>
        assert.equal(text(bytes), i < 20 ? `inside${i % 10}x` : `outside${i % 10}`)
      );
    },
  },
  {
    name: "an answer may be parts of the datagram itself, and several",
    async run(stage) {
      const receiver = await stage.bind((receiver, bytes, from) => {
        receiver.send(bytes.subarray(0, 4), from);
        receiver.send(bytes.subarray(4), from);
        receiver.send(bytes, from);
      });
      const peer = await stage.join();
      for (let i = 0; i < 10; i++) {
        peer.send(`head tail ${i}`, receiver.socket.address);
        await until("three answers", () => peer.received.length === 3 * i + 3);
        const answers = peer.received.slice(3 * i).map(text);
        assert.deepEqual(answers, ["head", ` tail ${i}`, `head tail ${i}`]);
      }
    },
  },
  {
    name: "from may be kept, and answered later",
    async run(stage) {
      const receiver = await stage.bind();
      const peers = [await stage.join(), await stage.join(), await stage.join()];
      for (const peer of peers) peer.send("hello", receiver.socket.address);
      await until("all three", () => receiver.received.length === 3);
      await stage.settle();
      for (const { from } of receiver.received) receiver.send(encode(String(from)), from);
      for (const peer of peers) {
        await until("the late answer", () => peer.received.length === 1);
        assert.equal(text(peer.received[0]!), String(peer.address));
      }
    },
  },
  {
    name: "an address that the core made is as good as one that was received",
    async run(stage) {
      const receiver = await stage.bind();
      const peer = await stage.join();
      const { transport, host, port, path } = peer.address;
      receiver.send(encode("unasked"), new Address(transport, host, port, path));
      await until("it", () => peer.received.length === 1);
      assert.equal(text(peer.received[0]!), "unasked");
    },
  },
  {
    name: "close sends what was given before it, and is good for twice",
    async run(stage) {
      const receiver = await stage.bind();
      const peer = await stage.join();
      for (let i = 0; i < 5; i++) receiver.send(encode(`last ${i}`), peer.address);
      await Promise.all([receiver.close(), receiver.close()]);
      await receiver.close();
      await until("the last ones", () => peer.received.length === 5);
      assert.deepEqual(peer.received.map(text), [0, 1, 2, 3, 4].map((i) => `last ${i}`));
      receiver.send(encode("too late"), peer.address);
      await stage.settle();
      assert.equal(peer.received.length, 5);
    },
  },
  {
    name: "close inside datagram: nothing more comes, and what was answered goes out",
    async run(stage) {
      const closings: Promise<void>[] = [];
      const receiver = await stage.bind((receiver, bytes, from) => {
        receiver.send(bytes, from);
        closings.push(receiver.close());
      });
      const peer = await stage.join();
      for (let i = 0; i < 5; i++) peer.send(`${i}`, receiver.socket.address);
      await until("the answer", () => peer.received.length > 0);
      await Promise.all(closings);
      await stage.settle();
      assert.equal(receiver.received.length, 1);
      assert.deepEqual(peer.received.map(text), ["0"]);
    },
  },
  {
    name: "the address is free when close has resolved",
    async run(stage) {
      const first = await stage.bind();
      const { transport, host, port, path } = first.socket.address;
      const same = host === ""
        ? { transport: transport as "unixgram", path }
        : { transport: transport as "udp", host, port };
      await first.close();
      const second = await stage.bind(echo, {}, same);
      await first.close();
      assert.equal(String(second.socket.address), String(first.socket.address));
      const peer = await stage.join();
      peer.send("hello", second.socket.address);
      await until("the answer", () => peer.received.length === 1);
    },
  },
  {
    name: "the core's slot is left alone",
    async run(stage) {
      const slot = {};
      const seen: unknown[] = [];
      const receiver = await stage.bind((receiver) => seen.push(receiver.socket.data));
      receiver.socket.data = slot;
      const peer = await stage.join();
      peer.send("x", receiver.socket.address);
      await until("it", () => seen.length === 1);
      assert.equal(seen[0], slot);
    },
  },
  {
    name: "* hears IPv4 and IPv6, and answers both; IPv4 peers look like IPv4",
    only: "udp",
    needs: kernel,
    async run(stage) {
      const receiver = await stage.bind(echo, {}, { transport: "udp", host: "*", port: 0 });
      const { port } = receiver.socket.address;
      for (const host of ["127.0.0.1", "::1"]) {
        const peer = await stage.join(host);
        peer.send(host, new Address("udp", host, port, ""));
        await until(`the answer to ${host}`, () => peer.received.length === 1);
        assert.equal(text(peer.received[0]!), host);
        assert.equal(String(receiver.received.at(-1)!.from), String(peer.address));
      }
    },
  },
  {
    name: "bound to all addresses: an answer leaves from the one that was asked, at once and later",
    only: "udp",
    needs: (harness) => both(harness.kernel, harness.adapter.features.packetInfo),
    async run(stage) {
      for (const [host, asked] of ASKED) {
        const receiver = await stage.bind(
          (receiver, bytes, from, to) => void receiver.send(bytes, from, to),
          {},
          { transport: "udp", host, port: 0 },
        );
        const { port } = receiver.socket.address;
        for (const at of asked) {
          // It is connected: what comes from another address it does not hear.
          const peer = await stage.dial({ transport: "udp", host: at, port });
          peer.send(encode(at));
          await until(`the answer of ${at} to ${host}`, () => peer.received.length === 1);
          assert.equal(text(peer.received[0]!.bytes), at);
          const { from, to } = receiver.received.at(-1)!;
          assert.equal(String(to), String(new Address("udp", at, port, "")));
          for (let i = 0; i < 3; i++) peer.send(encode(`${i}`));
          await until("all three", () => peer.received.length === 4);
          assert.equal(receiver.received.at(-1)!.to, to, "the same object");
          // Another socket may have made the address, or the core.
          receiver.send(encode("later"), from, to);
          receiver.send(encode("copied"), from, new Address("udp", at, port, ""));
          await until("the late ones", () => peer.received.length === 6);
        }
        assert.deepEqual(receiver.failures, []);
      }
    },
  },
  {
    name: "a link-local address, with its zone: bound, asked and answered",
    only: "udp",
    needs: (harness) => both(both(harness.kernel, harness.adapter.features.packetInfo), LINK_LOCAL),
    async run(stage) {
      for (const host of [linkLocal!, "*"]) {
        const receiver = await stage.bind(
          (receiver, bytes, from, to) => void receiver.send(bytes, from, to),
          {},
          { transport: "udp", host, port: 0 },
        );
        const { port } = receiver.socket.address;
        const asked = new Address("udp", linkLocal!, port, "");
        if (host !== "*") assert.equal(String(receiver.socket.address), String(asked));
        const peer = await stage.dial({ transport: "udp", host: linkLocal!, port });
        peer.send(encode("near"));
        await until(`the answer of ${host}`, () => peer.received.length === 1);
        assert.equal(String(receiver.received[0]!.to), String(asked));
        assert.deepEqual(receiver.failures, []);
      }
    },
  },
  {
    name: "[::1] hears IPv6",
    only: "udp",
    needs: kernel,
    async run(stage) {
      const receiver = await stage.bind(echo, {}, { transport: "udp", host: "::1", port: 0 });
      assert.match(String(receiver.socket.address), /^udp:\/\/\[::1\]:\d+$/);
      const peer = await stage.join("::1");
      peer.send("six", receiver.socket.address);
      await until("the answer", () => peer.received.length === 1);
      assert.equal(String(receiver.received[0]!.from), String(peer.address));
    },
  },
];
