/** Stream sockets that change hands: listeners by descriptor, and connections. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { loadAdapter } from "../../adapters/mod.ts";
import { openLibc } from "../../adapters/posix/libc.ts";
import { AF_INET, SOCK_DGRAM, SOCK_NONBLOCK_CLOEXEC } from "../../adapters/posix/linux.ts";
import type { Connection, Listener } from "../../runtime/core/contract.ts";
import type { Inherited, Origin } from "../../runtime/core/descriptors.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import { until, within } from "../support/until.ts";
import type { Order } from "./adopter.ts";
import { needs } from "./door.ts";
import { assertBytes, pattern, type StreamPeer, text } from "./harness.ts";
import type { Behaviour } from "./recorder.ts";
import { Recorder } from "./recorder.ts";
import type { Case, Stage } from "./stage.ts";
import { both } from "./stage.ts";

const own = await loadAdapter();

const THREAD = fileURLToPath(new URL("./adopter.ts", import.meta.url).href);

const MEGABYTE = 1024 * 1024;

const echo: Behaviour = {
  data: (connection, chunk) => void connection.write(chunk),
  end: (connection) => connection.end(),
};

function inherited(fd: number, address: Address, owned = true): Inherited {
  return { transport: address.transport as Inherited["transport"], fd, address, owned };
}

/** Remembers what was in the slot when it was opened. */
class Keeper extends Recorder {
  readonly given: unknown[] = [];

  override open(connection: Connection): void {
    this.given.push(connection.data);
    super.open(connection);
  }
}

/** A listener that gives descriptors to `arrive`. */
async function admitting(
  stage: Stage,
  arrive: (fd: number, origin: Origin) => void,
): Promise<Listener> {
  const { admit } = await stage.adapter.descriptors();
  const failure = (error: Error): never => {
    throw error;
  };
  return await admit(stage.harness.place(stage.transport), { arrive, failure }, {});
}

/** Adopts what a new listener lets in, while `use` runs. */
async function withKeeper(
  stage: Stage,
  behaviour: Behaviour,
  use: (keeper: Keeper) => Promise<void>,
): Promise<void> {
  const { adopt } = await stage.adapter.descriptors();
  const keeper = new Keeper(behaviour);
  let number = 0;
  keeper.listener = await admitting(stage, (fd, origin) => {
    adopt(fd, origin, keeper, `number ${number++}`).catch((error) => keeper.complain(`${error}`));
  });
  try {
    await use(keeper);
  } finally {
    await keeper.stop(() => stage.settle());
  }
}

export const adoption: readonly Case[] = [
  {
    name: "a listener is handed over while peers come: each is served, by the one or the other",
    needs,
    async run(stage) {
      let current = await stage.listen(echo);
      const { address } = current.listener;
      const peers: StreamPeer[] = [];
      let going = true;
      const coming = (async () => {
        while (going) {
          const peer = await stage.connect(address);
          peer.write("hello");
          peers.push(peer);
          // The queue of those who are not accepted yet has an end.
          if (peers.length % 100 > 0) continue;
          await until("those before", () => peers.every(({ received }) => received === 5));
        }
      })();
      const served: Recorder[] = [current];
      for (let round = 1; round <= 20; round++) {
        await until(`peers of round ${round}`, () => peers.length >= 5 * round);
        const fd = await current.listener.duplicate();
        const before = current.listener;
        if (round % 2 === 0) await before.close(true);
        current = await stage.listen(echo, {}, inherited(fd, address));
        if (round % 2 !== 0) await before.close(true);
        assert.equal(String(current.listener.address), String(address));
        served.push(current);
      }
      going = false;
      await within("the last peer", coming);
      await until("every echo", () => peers.every(({ received }) => received === 5));
      assert.equal(
        served.reduce((sum, { connections }) => sum + connections.length, 0),
        peers.length,
      );
      if (address.path !== "") assert.ok(existsSync(address.path));
      await current.listener.close();
      if (address.path !== "") assert.equal(existsSync(address.path), false);
      await assert.rejects(async () => await stage.connect(address));
    },
  },
  {
    name: "who waits in the queue of a listener that closes is served by who has its duplicate",
    needs,
    async run(stage) {
      const first = await stage.listen(echo);
      const { address } = first.listener;
      const fd = await first.listener.duplicate();
      await first.listener.close(true);
      const peers = await Promise.all(Array.from({ length: 20 }, () => stage.connect(address)));
      for (const [i, peer] of peers.entries()) peer.write(`peer ${i}`);
      await stage.settle();
      const count = first.connections.length;
      const second = await stage.listen(echo, {}, inherited(fd, address));
      await until("the echoes", () => peers.every(({ received }) => received >= 6));
      for (const [i, peer] of peers.entries()) assert.equal(text(peer.bytes()), `peer ${i}`);
      assert.equal(count + second.connections.length, peers.length);
    },
  },
  {
    name: "a listener that is not owned leaves its file",
    only: "unix",
    needs,
    async run(stage) {
      const first = await stage.listen(echo);
      const { address } = first.listener;
      const fd = await first.listener.duplicate();
      const second = await stage.listen(echo, {}, inherited(fd, address, false));
      await second.listener.close();
      assert.ok(existsSync(address.path));
      const peer = await stage.connect(address);
      peer.write("x");
      await until("the echo", () => peer.received === 1);
    },
  },
  {
    name: "adopt: the slot holds what was given before open, and the addresses are those given",
    needs,
    run: (stage) =>
      withKeeper(stage, echo, async (keeper) => {
        const peer = await stage.connect(keeper.listener.address);
        peer.write("hello");
        await until("the echo", () => peer.received === 5);
        assert.deepEqual(keeper.given, ["number 0"]);
        const [{ connection }] = keeper.connections as [Recorder["connections"][0]];
        assert.equal(String(connection.remote), peer.local);
        assert.equal(String(connection.local), String(keeper.listener.address));
      }),
  },
  {
    name: "adopt: 5 MB both ways at once, with pauses",
    needs,
    run: (stage) =>
      withKeeper(stage, {
        data(connection, chunk) {
          connection.pause();
          connection.write(chunk);
          setImmediate(() => connection.resume());
        },
        end: (connection) => connection.end(),
      }, async (keeper) => {
        const sent = pattern(5 * MEGABYTE);
        const peer = await stage.connect(keeper.listener.address);
        peer.write(sent);
        peer.end();
        await until("the end", () => peer.ended);
        assertBytes(peer.bytes(), sent, "echoed");
        await until("the close", () => keeper.connections[0]!.closed);
        assert.equal(keeper.connections[0]!.error, undefined);
      }),
  },
  {
    name: "adopt: what a peer sent before it left is read, then its end",
    needs,
    async run(stage) {
      const { adopt } = await stage.adapter.descriptors();
      const arrived: [number, Origin][] = [];
      const keeper = new Keeper(echo);
      keeper.listener = await admitting(stage, (...each) => arrived.push(each));
      const peer = await stage.connect(keeper.listener.address);
      peer.write("the last words");
      peer.end();
      await until("the arrival", () => arrived.length === 1);
      await stage.settle();
      await adopt(...arrived[0]!, keeper, undefined);
      await until("the close", () => keeper.connections[0]?.closed === true);
      assert.equal(text(keeper.connections[0]!.bytes()), "the last words");
      await until("the echo", () => peer.ended);
      await keeper.stop(() => stage.settle());
    },
  },
  {
    name: "adopt: 1,000 at once",
    needs,
    run: (stage) =>
      withKeeper(stage, echo, async (keeper) => {
        const { address } = keeper.listener;
        const peers: StreamPeer[] = [];
        while (peers.length < 1000) {
          const some = Array.from({ length: 100 }, () => stage.connect(address));
          peers.push(...await Promise.all(some));
          // The queue of a listener holds some hundreds.
          await until("the opens", () => keeper.connections.length === peers.length);
        }
        for (const [i, peer] of peers.entries()) peer.write(`peer ${i}`);
        await until("the echoes", () => peers.every(({ received }) => received >= 6));
        await until("whole", () => peers.every((peer, i) => text(peer.bytes()) === `peer ${i}`));
        assert.equal(keeper.connections.length, 1000);
        for (const peer of peers) peer.end();
        await until("the closes", () => keeper.connections.every(({ closed }) => closed));
      }),
  },
  {
    name: "adopt refuses what is no stream socket, and closes it",
    only: "tcp",
    needs,
    async run(stage) {
      const { adopt } = await stage.adapter.descriptors();
      const libc = await openLibc();
      const fd = libc.socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK_CLOEXEC, 0);
      const { listener: { address } } = await stage.listen();
      const origin = { remote: address, local: address };
      const table = new Recorder({});
      await assert.rejects(adopt(fd, origin, table, undefined), { code: "NOT_SUPPORTED" });
      assert.ok(libc.fcntl(fd, 1, 0) < 0, "it is open still");
      assert.equal(table.connections.length, 0);
    },
  },
  {
    name: "adopt works in a thread, which leaves no descriptor when it ends",
    needs: (harness) =>
      both(
        needs(harness),
        harness.adapter.name === own.name || { reason: "a thread has its runtime's own adapter" },
      ),
    async run(stage) {
      const before = readdirSync("/proc/self/fd").length;
      const worker = new Worker(THREAD);
      const said: string[] = [];
      worker.on("message", (text: string) => said.push(text));
      await until("the thread", () => said.length === 1);
      const listener = await admitting(stage, (fd, { remote, local }) => {
        worker.postMessage({ fd, remote: { ...remote }, local: { ...local } } as Order);
      });
      const peers = await Promise.all(
        Array.from({ length: 20 }, () => stage.connect(listener.address)),
      );
      const sent = pattern(MEGABYTE);
      for (const peer of peers) peer.write(sent);
      await until("the echoes", () => peers.every(({ received }) => received === sent.length));
      for (const peer of peers) assertBytes(peer.bytes(), sent, "echoed");
      for (const peer of peers.slice(0, 10)) peer.end();
      await until("their closes", () => said.length === 11);
      const locals = peers.slice(0, 10).map(({ local }) => local).sort();
      assert.deepEqual(said.slice(1).sort(), locals);
      await listener.close();
      const exit = once(worker, "exit");
      await worker.terminate();
      await within("the end of the thread", exit);
      await until("the ends of the others", () => peers.every(({ ended, gone }) => ended || gone));
      for (const peer of peers) peer.leave();
      const count = (): number => readdirSync("/proc/self/fd").length;
      await until(() => `${before} descriptors, there are ${count()}`, () => count() <= before);
    },
  },
];
