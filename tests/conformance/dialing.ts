/** Datagram sockets of our own making, with one peer. */
import assert from "node:assert/strict";
import process from "node:process";
import type { DialedSocket, Support } from "../../runtime/core/contract.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import { until, within } from "../support/until.ts";
import { count, countBack, counted, named, needs } from "./door.ts";
import { encode, type Harness, type Tested, text } from "./harness.ts";
import { type Answer, Receiver } from "./receiver.ts";
import { both, type Case, programs, type Stage } from "./stage.ts";

const echo: Answer = (receiver, bytes, from) => void receiver.send(bytes, from);

const sockets = (harness: Harness, transport: Tested): Support =>
  both(harness.kernel, harness.adapter.features.transports[transport]);

/** Dials, and closes when `use` is over. */
async function withDialed(
  stage: Stage,
  to: Address,
  use: (receiver: Receiver, target: Address, socket: DialedSocket) => Promise<void>,
): Promise<void> {
  const receiver = new Receiver(() => {});
  const socket = await within("dial", stage.adapter.dial(named(to), receiver));
  receiver.socket = socket;
  try {
    await use(receiver, socket.target, socket);
  } finally {
    await receiver.stop(() => stage.settle());
  }
}

export const dialing: readonly Case[] = [
  {
    name: "a dialed socket sends to its target and hears the answers",
    needs: sockets,
    async run(stage) {
      const server = await stage.bind(echo);
      const { address } = server.socket;
      await withDialed(stage, address, async (dialed, target) => {
        assert.equal(String(target), String(address));
        for (let i = 0; i < 20; i++) dialed.send(encode(`${i}`), target);
        await until("the answers", () => dialed.received.length === 20);
        dialed.received.forEach(({ bytes }, i) => assert.equal(text(bytes), `${i}`));
        assert.equal(String(dialed.received[0]!.from), String(address));
        assert.equal(String(server.received[0]!.from), String(dialed.socket.address));
        assert.deepEqual(dialed.failures, []);
      });
    },
  },
  {
    name: "a dialed socket does not hear strangers",
    only: "udp",
    needs: sockets,
    async run(stage) {
      const server = await stage.bind(echo);
      await withDialed(stage, server.socket.address, async (dialed, target) => {
        const stranger = await stage.join();
        stranger.send("psst", dialed.socket.address);
        await stage.settle();
        dialed.send(encode("hello"), target);
        await until("the answer", () => dialed.received.length > 0);
        assert.deepEqual(dialed.received.map(({ bytes }) => text(bytes)), ["hello"]);
      });
    },
  },
  {
    name: "nobody there: a failure, ECONNREFUSED",
    only: "udp",
    needs,
    async run(stage) {
      const server = await stage.bind();
      await server.close();
      await withDialed(stage, server.socket.address, async (dialed, target) => {
        dialed.send(encode("anybody?"), target);
        await until("the failure", () => dialed.failures.length > 0);
        assert.equal(dialed.failures[0]!.code, "ECONNREFUSED");
        assert.equal(dialed.failures[0]!.side, "peer");
      });
    },
  },
  {
    name: "nobody there: ENOENT; a name works as well as a path",
    only: "unixgram",
    needs,
    async run(stage) {
      const server = await stage.bind();
      await server.close();
      const { address } = server.socket;
      const table = { datagram() {}, failure() {} };
      await assert.rejects(stage.adapter.dial(named(address), table), (error: Error) => {
        assert.equal((error as { code?: string }).code, "ENOENT");
        assert.ok(error.message.includes(address.path), error.message);
        return true;
      });
      const path = `@portico-dial-${process.pid}-${address.path}`;
      const other = await stage.bind(echo, {}, { transport: "unixgram", path });
      await withDialed(stage, other.socket.address, async (dialed, target) => {
        dialed.send(encode("hello"), target);
        await until("the answer", () => dialed.received.length === 1);
      });
    },
  },
  {
    name: "a stream listener is there: ECONNREFUSED, as for streams",
    only: "unixgram",
    needs,
    async run(stage) {
      const { path } = stage.harness.place("unixgram") as { path: string };
      const silent = { open() {}, data() {}, drain() {}, end() {}, close() {}, failure() {} };
      const listener = await stage.adapter.listen({ transport: "unix", path }, silent, {});
      const table = { datagram() {}, failure() {} };
      const attempt = stage.adapter.dial({ transport: "unixgram", path }, table);
      await assert.rejects(attempt, {
        code: "ECONNREFUSED",
        side: "peer",
        message: `cannot connect to unixgram:${path}: connection refused (EPROTOTYPE)`,
      });
      await listener.close();
    },
  },
  {
    name: "a dialed socket offers datagrams: taken in order, or refused with the reason",
    needs: sockets,
    async run(stage) {
      const server = await stage.bind();
      await withDialed(stage, server.socket.address, async (_receiver, _target, dialed) => {
        for (let i = 0; i < 200; i++) {
          const bytes = encode(`${i}`);
          await until("room", () => dialed.offer(bytes));
        }
        await until("all", () => server.received.length === 200);
        server.received.forEach(({ bytes }, i) => assert.equal(text(bytes), `${i}`));
        assert.throws(() => dialed.offer(new Uint8Array(1 << 20)), { code: "EMSGSIZE" });
      });
    },
  },
  {
    name: "a datagram is offered in vain where a queue is full, and where nobody is any more",
    only: "unixgram",
    needs: (harness) => both(needs(harness), programs("python3")(harness)),
    async run(stage) {
      const deaf = await stage.harness.deafPeer();
      await withDialed(stage, deaf, (_receiver, _target, dialed) => {
        let taken = 0;
        while (dialed.offer(encode("x"))) taken++;
        assert.ok(taken > 0 && taken < 10_000, `${taken}`);
        return Promise.resolve();
      });
      const server = await stage.bind();
      await withDialed(stage, server.socket.address, async (_receiver, _target, dialed) => {
        await server.socket.close();
        assert.throws(() => dialed.offer(encode("x")), { code: "ENOENT" });
      });
    },
  },
  {
    name: "200 dialed sockets at once: each hears its answers, and leaves no descriptor",
    needs: counted,
    async run(stage) {
      const server = await stage.bind(echo);
      const endpoint = named(server.socket.address);
      const before = count();
      const dialed = await Promise.all(Array.from({ length: 200 }, async () => {
        const receiver = new Receiver(() => {});
        const socket = receiver.socket = await stage.adapter.dial(endpoint, receiver);
        return { receiver, socket };
      }));
      for (let round = 1; round <= 2; round++) {
        for (const [i, { receiver, socket }] of dialed.entries()) {
          receiver.send(encode(`${i}`), socket.target);
          // A Unix socket's queue has room for some ten only, which none may wait for here.
          if (i % 8 === 7) await until("answers", () => receiver.received.length === round);
        }
        await until(
          "all answers",
          () => dialed.every(({ receiver }) => receiver.received.length === round),
        );
      }
      dialed.forEach(({ receiver }, i) => {
        assert.deepEqual(receiver.received.map(({ bytes }) => text(bytes)), [`${i}`, `${i}`]);
      });
      await Promise.all(dialed.map(({ socket }) => socket.close()));
      await countBack(before);
    },
  },
  {
    name: "100 dialed sockets leave no descriptor",
    needs: counted,
    async run(stage) {
      const server = await stage.bind();
      const table = { datagram() {}, failure() {} };
      const endpoint = named(server.socket.address);
      const round = async (): Promise<void> => {
        await (await stage.adapter.dial(endpoint, table)).close();
      };
      await round();
      await stage.settle();
      const before = count();
      for (let i = 0; i < 100; i++) await round();
      await countBack(before);
    },
  },
];
