/** Datagrams in bursts, peers that cannot be reached, groups. */
import assert from "node:assert/strict";
import { Address } from "../../runtime/core/endpoint.ts";
import { until } from "../support/until.ts";
import type { Harness } from "./harness.ts";
import { encode, text } from "./harness.ts";
import type { Answer } from "./receiver.ts";
import type { Case } from "./stage.ts";
import { kernel, programs } from "./stage.ts";

const echo: Answer = (receiver, bytes, from) => void receiver.send(bytes, from);

export const bursts: readonly Case[] = [
  {
    name: "a burst of 100 datagrams is received whole, in order, and answered",
    async run(stage) {
      const receiver = await stage.bind(echo);
      const peer = await stage.join();
      for (let i = 0; i < 100; i++) peer.send(`datagram ${i}`, receiver.socket.address);
      await until(
        () => `100 answers, ${peer.received.length} of ${receiver.received.length} so far`,
        () => peer.received.length === 100,
      );
      peer.received.forEach((bytes, i) => assert.equal(text(bytes), `datagram ${i}`));
      assert.deepEqual(receiver.failures, []);
    },
  },
  {
    name: "datagrams of one turn arrive each by itself, whatever their sizes",
    async run(stage) {
      const receiver = await stage.bind();
      const peers = [await stage.join(), await stage.join()];
      const sizes = [64, 64, 64, 64, 10, 64, 64, 1232, 1232, 5, 1233, 1233, 7, 7, 1, 3, 3];
      for (const [i, size] of sizes.entries()) {
        receiver.send(new Uint8Array(size).fill(i), peers[0]!.address);
        // One before, one between, so that not all of them follow each other.
        if (i % 7 === 0) receiver.send(encode(`${i}`), peers[1]!.address);
      }
      await until(
        () => `${sizes.length} and 3, ${peers.map(({ received }) => received.length)} so far`,
        () => peers[0]!.received.length === sizes.length && peers[1]!.received.length === 3,
      );
      assert.deepEqual(peers[0]!.received.map(({ length }) => length), sizes);
      peers[0]!.received.forEach((bytes, i) => assert.ok(bytes.every((byte) => byte === i)));
      assert.deepEqual(peers[1]!.received.map(text), ["0", "7", "14"]);
      assert.deepEqual(receiver.failures, []);
    },
  },
  {
    name:
      "2,000 small ones from a sender that waits arrive whole and in order, and so do the answers",
    only: "unixgram",
    needs: programs("python3"),
    async run(stage) {
      const receiver = await stage.bind(echo);
      await stage.harness.correspond(receiver.socket.address, 2000, 100);
      assert.equal(receiver.received.length, 2000);
      receiver.received.forEach(({ bytes }, i) => assert.equal(text(bytes), `datagram ${i}`));
      assert.deepEqual(receiver.failures, []);
    },
  },
  {
    name: "200 at once to one peer arrive in order, though its queue holds ten",
    only: "unixgram",
    async run(stage) {
      const receiver = await stage.bind();
      const peer = await stage.join();
      for (let i = 0; i < 200; i++) receiver.send(encode(`${i}`), peer.address);
      await until(() => `${peer.received.length} of 200`, () => peer.received.length === 200);
      peer.received.forEach((bytes, i) => assert.equal(text(bytes), `${i}`));
      assert.deepEqual(receiver.failures, []);
    },
  },
  {
    name: "a peer that does not read is given up, by name, and others are served meanwhile",
    only: "unixgram",
    needs: programs("python3"),
    async run(stage) {
      const receiver = await stage.bind(echo);
      const deaf = await stage.harness.deafPeer();
      for (let i = 0; i < 300; i++) receiver.send(encode("unheard"), deaf);
      const peer = await stage.join();
      for (let i = 0; i < 5; i++) {
        peer.send("hello", receiver.socket.address);
        await until("the answer", () => peer.received.length === i + 1);
      }
      await until("the failure", () => receiver.failures.length > 0);
      assert.equal(receiver.failures[0]!.code, "PEER_BUSY");
      assert.ok(receiver.failures[0]!.message.includes(deaf.path));
    },
  },
  {
    name: "a sender without an address cannot be answered: false, PEER_UNNAMED",
    only: "unixgram",
    needs: (harness) => harness.kernel === true ? programs("socat")(harness) : true,
    async run(stage) {
      const answers: boolean[] = [];
      const receiver = await stage.bind((receiver, bytes, from) => {
        answers.push(receiver.send(bytes, from));
      });
      await stage.harness.sendUnnamed("who am I", receiver.socket.address);
      await until("the failure", () => receiver.failures.length === 1);
      assert.equal(text(receiver.received[0]!.bytes), "who am I");
      assert.equal(String(receiver.received[0]!.from), "unixgram:");
      assert.deepEqual(answers, [false]);
      assert.equal(receiver.failures[0]!.code, "PEER_UNNAMED");
      assert.equal(receiver.failures[0]!.side, "peer");
    },
  },
  {
    name: "who has sent from port 0 wants no answer: false, PEER_UNNAMED, and no warning",
    only: "udp",
    async run(stage) {
      const receiver = await stage.bind();
      const nobody = new Address("udp", "127.0.0.1", 0, "");
      const peer = await stage.join();
      assert.equal(receiver.send(encode("lost"), nobody), false);
      assert.equal(receiver.send(encode("hello"), peer.address), true);
      await until("the answer", () => peer.received.length === 1);
      await until("the failure", () => receiver.failures.length === 1);
      assert.equal(receiver.failures[0]!.code, "PEER_UNNAMED");
      assert.equal(receiver.failures[0]!.side, "peer");
    },
  },
  {
    name: "a peer that nobody is any more costs nobody else anything",
    needs: kernel,
    async run(stage) {
      const receiver = await stage.bind(echo);
      const { transport, host, path } = receiver.socket.address;
      // Port 1 has no socket; the path was never made.
      const nobody = new Address(transport, host, host === "" ? 0 : 1, path && `${path}.gone`);
      const peer = await stage.join();
      for (let i = 0; i < 10; i++) {
        receiver.send(encode("lost"), nobody);
        peer.send("hello", receiver.socket.address);
        await until("the answer", () => peer.received.length === i + 1);
      }
      for (const { code, side } of receiver.failures) {
        assert.match(code, /^(ECONNREFUSED|ENOENT)$/);
        assert.equal(side, "peer");
      }
      if (transport === "unixgram") await until("failures", () => receiver.failures.length > 0);
    },
  },
];

/** Whether an option of `udp` is there, with a kernel. */
export const option = (name: "multicast" | "broadcast") => ({ adapter, kernel }: Harness) =>
  kernel === true ? adapter.features.options[name].udp ?? { reason: "not for udp" } : kernel;

export const groups: readonly Case[] = [
  {
    name: "multicast: a group that was joined is heard, and answered",
    only: "udp",
    needs: option("multicast"),
    async run(stage) {
      const { createSocket } = await import("node:dgram");
      const receiver = await stage.bind(
        echo,
        { multicast: ["239.255.70.7%127.0.0.1"] },
        { transport: "udp", host: "0.0.0.0", port: 0 },
      );
      const peer = createSocket("udp4");
      try {
        const answer = new Promise<string>((resolve) =>
          peer.once("message", (m) => resolve(text(m)))
        );
        await new Promise<void>((resolve) => peer.bind(0, "127.0.0.1", resolve));
        peer.setMulticastInterface("127.0.0.1");
        peer.send("to the group", receiver.socket.address.port, "239.255.70.7");
        await until("it", () => receiver.received.length === 1);
        assert.equal(await answer, "to the group");
      } finally {
        peer.close();
      }
    },
  },
  {
    name: "broadcast: it may be sent when the option allows it",
    only: "udp",
    needs: option("broadcast"),
    async run(stage) {
      const { createSocket } = await import("node:dgram");
      const receiver = await stage.bind(
        () => {},
        { broadcast: true },
        { transport: "udp", host: "0.0.0.0", port: 0 },
      );
      const peer = createSocket("udp4");
      try {
        const heard = new Promise<string>((resolve) =>
          peer.once("message", (m) => resolve(text(m)))
        );
        await new Promise<void>((resolve) => peer.bind(0, "0.0.0.0", resolve));
        const to = new Address("udp", "127.255.255.255", peer.address().port, "");
        assert.equal(receiver.send(encode("to all"), to), true);
        assert.equal(await heard, "to all");
        assert.deepEqual(receiver.failures, []);
      } finally {
        peer.close();
      }
    },
  },
];
