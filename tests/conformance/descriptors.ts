/** Listeners that give away what they accept by descriptor, and listeners handed over. */
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { openLibc } from "../../adapters/posix/libc.ts";
import { familyOf, getOption } from "../../adapters/posix/options.ts";
import type { OptionName, SocketOptions } from "../../runtime/core/contract.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { until, within } from "../support/until.ts";
import {
  count,
  countBack,
  counted,
  Door,
  inherited,
  named,
  needs,
  read,
  withDoor,
} from "./door.ts";
import { assertBytes, pattern, text } from "./harness.ts";
import type { Behaviour } from "./recorder.ts";
import { Recorder } from "./recorder.ts";
import type { Case } from "./stage.ts";
import { rejects } from "./stage.ts";

const echo: Behaviour = {
  data: (connection, chunk) => void connection.write(chunk),
  end: (connection) => connection.end(),
};

/** Options of a listener that its connections inherit, and what is read back. */
const INHERITED: readonly (readonly [SocketOptions, OptionName, string])[] = [
  [{}, "noDelay", "true"],
  [{ noDelay: false }, "noDelay", "false"],
  [{ keepAlive: 77_000 }, "keepAlive", "77s"],
  [{ userTimeout: 5000 }, "userTimeout", "5000ms"],
  [{ dscp: 46 }, "dscp", "46"],
  [{ ttl: 9 }, "ttl", "9"],
  [{ receiveBuffer: 50_000 }, "receiveBuffer", "100000"],
];

export const admissions: readonly Case[] = [
  {
    name: "40 listeners admit at once, and each of them goes on",
    needs,
    async run(stage) {
      const descriptors = await stage.adapter.descriptors();
      const doors: Door[] = [];
      try {
        for (let i = 0; i < 40; i++) {
          const door = new Door(descriptors);
          door.listener = await descriptors.admit(stage.harness.place(stage.transport), door, {});
          doors.push(door);
        }
        for (let round = 1; round <= 2; round++) {
          for (const door of doors) {
            await stage.connect(door.listener.address);
            await until("the arrival", () => door.arrivals.length === round);
          }
        }
      } finally {
        for (const door of doors) await door.stop();
      }
    },
  },
  {
    name: "admit gives connections away unread, with the right addresses",
    needs,
    run: (stage) =>
      withDoor(stage, async (door) => {
        const { address } = door.listener;
        const peers = [await stage.connect(address), await stage.connect(address)];
        for (const [i, peer] of peers.entries()) peer.write(`early ${i}`);
        for (const [i, peer] of peers.entries()) {
          await until("the arrival", () => door.arrivals.length > i);
          const { fd, origin } = door.arrivals[i]!;
          assert.equal(String(origin.remote), peer.local);
          assert.equal(String(origin.local), String(address));
          assert.equal(await read(fd), `early ${i}`);
        }
        assert.deepEqual(door.failures, []);
      }),
  },
  {
    name: "what was admitted can be adopted, with its addresses",
    needs,
    run: (stage) =>
      withDoor(stage, async (door) => {
        const recorder = new Recorder(echo);
        recorder.listener = door.listener;
        const peers = [await stage.connect(door.listener.address)];
        peers.push(await stage.connect(door.listener.address));
        for (const [i, peer] of peers.entries()) {
          peer.write(`early ${i}`);
          const { fd, origin } = await door.take(i);
          await door.descriptors.adopt(fd, origin, recorder, undefined);
          await until("the echo", () => peer.received === 7);
          assert.equal(text(peer.bytes()), `early ${i}`);
          const { connection } = recorder.connections[i]!;
          assert.equal(String(connection.remote), String(origin.remote));
          assert.equal(String(connection.local), String(origin.local));
        }
        await recorder.stop(() => stage.settle());
      }),
  },
  {
    name: "adopted after a reset: what was unread is told first, then the reset",
    only: "tcp",
    needs,
    run: (stage) =>
      withDoor(stage, async (door) => {
        const { descriptors } = door;
        const recorder = new Recorder({});
        recorder.listener = door.listener;
        for (const [at, length] of [1, 5, 50_000].entries()) {
          const peer = await stage.connect(door.listener.address);
          const bytes = pattern(length);
          peer.write(bytes);
          const { fd, origin } = await door.take(at);
          const head = new Uint8Array(new ArrayBuffer(length));
          await until("all of it", () => descriptors.peek(fd, head) === length);
          const { promise, resolve } = Promise.withResolvers<void>();
          const end = descriptors.watchArrivals(fd, (over) => void (over && resolve()));
          peer.reset();
          await within("the reset", promise);
          end?.();
          await descriptors.adopt(fd, origin, recorder, undefined);
          const tapped = recorder.connections.at(-1)!;
          await until("the close", () => tapped.closed);
          assertBytes(tapped.bytes(), bytes, "what was unread");
          assert.equal(tapped.error?.code, "ECONNRESET");
        }
        await recorder.stop(() => stage.settle());
      }),
  },
  {
    name: "admit: a burst of 200 connections arrives whole",
    needs,
    run: (stage) =>
      withDoor(stage, async (door) => {
        const connecting = Array.from({ length: 200 }, () => stage.connect(door.listener.address));
        await Promise.all(connecting);
        await until("all of them", () => door.arrivals.length === 200);
        assert.equal(new Set(door.arrivals.map(({ fd }) => fd)).size, 200);
      }),
  },
  {
    name: "admit on *: IPv4 and IPv6 peers, and where they arrived",
    only: "tcp",
    needs,
    run: (stage) =>
      withDoor(
        stage,
        async (door) => {
          const { address } = door.listener;
          for (const [i, host] of ["127.0.0.1", "::1"].entries()) {
            const peer = await stage.connect(address, { host });
            await until("the arrival", () => door.arrivals.length === i + 1);
            const { origin } = door.arrivals[i]!;
            assert.equal(String(origin.remote), peer.local);
            assert.equal(String(origin.local), String(new Address("tcp", host, address.port, "")));
          }
        },
        {},
        { transport: "tcp", host: "*", port: 0 },
      ),
  },
  {
    name: "admit refuses an address in use, by name",
    needs,
    run: (stage) =>
      withDoor(stage, async ({ descriptors, listener }) => {
        const door = new Door(descriptors);
        for (let i = 0; i < 3; i++) {
          const attempt = descriptors.admit(named(listener.address), door, {});
          await rejects(attempt, "EADDRINUSE", String(listener.address));
        }
      }),
  },
  {
    name: "admit: options are inherited by what is accepted",
    only: "tcp",
    needs,
    async run(stage) {
      const libc = await openLibc();
      for (const [options, name, wanted] of INHERITED) {
        await withDoor(stage, async (door) => {
          await stage.connect(door.listener.address);
          await until("the arrival", () => door.arrivals.length === 1);
          const { fd } = door.arrivals[0]!;
          assert.equal(getOption(libc, fd, familyOf(libc, fd), name), wanted, name);
        }, options);
      }
    },
  },
  {
    name: "admit: mode is applied, and the file goes with the listener",
    only: "unix",
    needs,
    async run(stage) {
      let path = "";
      await withDoor(stage, (door) => {
        path = door.listener.address.path;
        assert.equal((statSync(path).mode & 0o777).toString(8), "620");
        return Promise.resolve();
      }, { mode: 0o620 });
      assert.equal(existsSync(path), false);
    },
  },
  {
    name: "a listener is handed over with those who wait in its queue; the file stays to the last",
    needs,
    async run(stage) {
      let fd = -1;
      let address: Address;
      let waiting: unknown[] = [];
      await withDoor(stage, async (door) => {
        address = door.listener.address;
        fd = await door.listener.duplicate();
        await Promise.all([door.listener.close(true), door.listener.close()]);
        waiting = [await stage.connect(address), await stage.connect(address)];
      });
      await withDoor(
        stage,
        async (door) => {
          await until("those who waited", () => door.arrivals.length === waiting.length);
          await stage.connect(address);
          await until("another one", () => door.arrivals.length === 3);
          assert.equal(String(door.listener.address), String(address));
        },
        {},
        inherited(fd, address!),
      );
      await assert.rejects(async () => await stage.connect(address));
      if (address!.path !== "") assert.equal(existsSync(address!.path), false);
    },
  },
  {
    name: "a listener that the adapter made goes on by descriptor, and back",
    needs,
    async run(stage) {
      const first = await stage.listen();
      const { address } = first.listener;
      const one = await first.listener.duplicate();
      await first.listener.close(true);
      let two = -1;
      await withDoor(
        stage,
        async (door) => {
          await stage.connect(address);
          await until("the first", () => door.arrivals.length === 1);
          two = await door.listener.duplicate();
          await door.listener.close(true);
        },
        {},
        inherited(one, address),
      );
      await stage.listen(echo, {}, inherited(two, address));
      const peer = await stage.connect(address);
      peer.write("round");
      await until("the echo", () => peer.received === 5);
    },
  },
  {
    name: "a file that is somebody else's stays at close",
    only: "unix",
    needs,
    async run(stage) {
      await withDoor(stage, async (door) => {
        const { address } = door.listener;
        const fd = await door.listener.duplicate();
        await withDoor(stage, () => Promise.resolve(), {}, inherited(fd, address, false));
        assert.ok(existsSync(address.path));
        await stage.connect(address);
        await until("the arrival", () => door.arrivals.length === 1);
      });
    },
  },
  {
    name: "200 admissions, handed over, leave no descriptor",
    needs: counted,
    async run(stage) {
      const round = () =>
        withDoor(stage, async (door) => {
          await stage.connect(door.listener.address).then((peer) => peer.leave());
          await until("the arrival", () => door.arrivals.length === 1);
          const fd = await door.listener.duplicate();
          await door.listener.close(true);
          const { address } = door.listener;
          await withDoor(stage, () => Promise.resolve(), {}, inherited(fd, address));
        });
      await round();
      await stage.settle();
      const before = count();
      for (let i = 0; i < 200; i++) await round();
      await countBack(before);
    },
  },
];
