/** Descriptors along a pair of sockets, and what a descriptor turns out to be. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import process from "node:process";
import { openLibc } from "../../adapters/posix/libc.ts";
import { AF_INET, AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } from "../../adapters/posix/linux.ts";
import { Address } from "../../runtime/core/endpoint.ts";
import { until, within } from "../support/until.ts";
import { count, countBack, counted, Door, inherited, needs, read, withDoor } from "./door.ts";
import type { Case } from "./stage.ts";
import { both, programs, rejects } from "./stage.ts";

/** A process that waits a moment, then passes its standard input along itself. */
const PASS = `
import socket, time
along = socket.socket(fileno=0)
time.sleep(0.2)
socket.send_fds(along, [b"\\0"], [0])
`;

export const passing: readonly Case[] = [
  {
    name: "a connection is passed along a pair",
    needs,
    run: (stage) =>
      withDoor(stage, async (door) => {
        const { descriptors } = door;
        const [ours, theirs] = descriptors.pair();
        const peer = await stage.connect(door.listener.address);
        peer.write("hello");
        const { fd, origin } = await door.take();
        assert.equal(descriptors.take(theirs), -1);
        assert.equal(descriptors.pass(ours, fd), true);
        descriptors.close(fd);
        const taken = descriptors.take(theirs);
        assert.ok(taken >= 0);
        assert.equal(descriptors.take(theirs), -1);
        descriptors.close(ours);
        descriptors.close(theirs);
        const found = descriptors.inspect(taken);
        assert.ok(found.kind === "connection");
        assert.equal(String(found.origin.remote), String(origin.remote));
        assert.equal(await read(taken), "hello");
        descriptors.close(taken);
        await until("its end", () => peer.ended);
      }),
  },
  {
    name: "pass says false when the queue is full, and goes on when there is room",
    only: "tcp",
    needs: counted,
    async run(stage) {
      const descriptors = await stage.adapter.descriptors();
      const [ours, theirs] = descriptors.pair();
      const before = count();
      let sent = 0;
      while (sent < 100_000 && descriptors.pass(ours, ours)) sent++;
      assert.ok(sent > 0 && sent < 100_000, `${sent} were passed`);
      for (let i = 0; i < sent; i++) {
        const fd = descriptors.take(theirs);
        assert.ok(fd >= 0, `number ${i} of ${sent}`);
        descriptors.close(fd);
      }
      assert.equal(descriptors.take(theirs), -1);
      assert.equal(descriptors.pass(ours, ours), true);
      descriptors.close(descriptors.take(theirs));
      await countBack(before);
      descriptors.close(ours);
      descriptors.close(theirs);
    },
  },
  {
    name: "send writes at once what there is room for",
    only: "tcp",
    needs,
    async run(stage) {
      const descriptors = await stage.adapter.descriptors();
      const [ours, theirs] = descriptors.pair();
      const piece = new Uint8Array(new ArrayBuffer(64 * 1024)).fill(7);
      let sent = 0;
      for (let count = 1; count > 0;) sent += count = descriptors.send(ours, piece);
      assert.ok(sent > piece.length && sent < 1 << 30, `${sent} bytes`);
      descriptors.close(ours);
      const peer = await read(theirs);
      assert.equal(peer, "\x07".repeat(sent));
      descriptors.close(theirs);
    },
  },
  {
    name: "send to nobody is EPIPE",
    only: "tcp",
    needs,
    async run(stage) {
      const descriptors = await stage.adapter.descriptors();
      const [ours, theirs] = descriptors.pair();
      descriptors.close(theirs);
      const bytes = new Uint8Array(new ArrayBuffer(1));
      assert.throws(() => descriptors.send(ours, bytes), { code: "EPIPE" });
      descriptors.close(ours);
    },
  },
  {
    name: "silence makes /dev/null of a socket's number, and the socket is closed",
    only: "tcp",
    needs: counted,
    async run(stage) {
      const descriptors = await stage.adapter.descriptors();
      const [ours, theirs] = descriptors.pair();
      const before = count();
      descriptors.silence(ours);
      assert.equal(count(), before);
      assert.equal(readlinkSync(`/proc/self/fd/${ours}`), "/dev/null");
      assert.throws(() => descriptors.send(theirs, new Uint8Array(new ArrayBuffer(1))), {
        code: "EPIPE",
      });
      for (const fd of [ours, theirs]) descriptors.close(fd);
    },
  },
  {
    name: "the end of a pair is EPIPE, for both sides; what was passed before it comes first",
    only: "tcp",
    needs,
    async run(stage) {
      const descriptors = await stage.adapter.descriptors();
      const [ours, theirs] = descriptors.pair();
      descriptors.pass(ours, ours);
      descriptors.close(ours);
      descriptors.close(descriptors.take(theirs));
      assert.throws(() => descriptors.take(theirs), { code: "EPIPE" });
      assert.throws(() => descriptors.take(theirs, true), { code: "EPIPE" });
      assert.throws(() => descriptors.pass(theirs, theirs), { code: "EPIPE" });
      descriptors.close(theirs);
    },
  },
  {
    name: "a descriptor with another tag than the one that is due is nobody's, and closed",
    only: "tcp",
    needs: counted,
    async run(stage) {
      const descriptors = await stage.adapter.descriptors();
      const [ours, theirs] = descriptors.pair();
      const before = count();
      for (const tag of [7, 2 ** 32 - 1, 9]) descriptors.pass(ours, ours, tag);
      descriptors.close(descriptors.take(theirs, false, 7));
      descriptors.close(descriptors.take(theirs, false, 2 ** 32 - 1));
      assert.throws(() => descriptors.take(theirs, false, 8), { code: "CONTROL_FAILED" });
      assert.equal(descriptors.take(theirs), -1);
      await countBack(before);
      descriptors.close(ours);
      descriptors.close(theirs);
    },
  },
  {
    name: "take can wait for what another process passes",
    only: "tcp",
    needs: (harness) => both(needs(harness), programs("python3")(harness)),
    async run(stage) {
      const descriptors = await stage.adapter.descriptors();
      const [ours, theirs] = descriptors.pair();
      const child = spawn("python3", ["-c", PASS], { stdio: [theirs, "ignore", "inherit"] });
      const gone = once(child, "close");
      const fd = descriptors.take(ours, true);
      assert.equal(descriptors.inspect(fd).kind, "connection");
      for (const each of [fd, ours, theirs]) descriptors.close(each);
      await within("the other process", gone);
    },
  },
  {
    name:
      "a reset of what nobody reads is told once; an end in order is not, nor what was given up",
    only: "tcp",
    needs,
    run: (stage) =>
      withDoor(stage, async (door) => {
        const { descriptors } = door;
        const peers = [];
        const told: number[] = [];
        const ends = [];
        for (let i = 0; i < 100; i++) {
          const peer = await stage.connect(door.listener.address);
          peer.write("hello");
          peers.push(peer);
          const { fd } = await door.take(i);
          const end = descriptors.watchReset(fd, () => told.push(i));
          ends.push(() => {
            end();
            descriptors.close(fd);
          });
          // Its number is somebody else's then.
          if (i % 10 === 9) ends[i]!();
        }
        peers.forEach((peer, i) => i % 2 === 0 ? peer.reset() : peer.end());
        await until(() => `50 of ${told.length}`, () => told.length === 50);
        await stage.settle();
        assert.deepEqual(told.sort((a, b) => a - b), Array.from({ length: 50 }, (_, i) => 2 * i));
        ends.forEach((end, i) => i % 10 === 9 || end());
      }),
  },
  {
    name:
      "first bytes are seen, told of as they come, and stay for whoever reads; what is skipped is gone",
    needs,
    run: (stage) =>
      withDoor(stage, async (door) => {
        const { descriptors } = door;
        const peer = await stage.connect(door.listener.address);
        const { fd } = await door.take();
        const bytes = new Uint8Array(new ArrayBuffer(64));
        const seen = (): string | number => {
          const count = descriptors.peek(fd, bytes);
          return count < 0 ? count : Buffer.from(bytes.subarray(0, count)).toString();
        };
        assert.equal(seen(), -1);
        let told = 0;
        let ended = false;
        const end = descriptors.watchArrivals(fd, (over) => {
          told++;
          ended ||= over;
        });
        assert.ok(end !== undefined);
        peer.write("hello");
        await until("the first bytes", () => seen() === "hello");
        await until("to be told", () => told > 0);
        // What is there already is not told again and again.
        await stage.settle();
        const before = told;
        await stage.settle();
        assert.equal(told, before);
        peer.write(" world");
        await until("more bytes", () => seen() === "hello world");
        await until("to be told of them", () => told > before);
        descriptors.skip(fd, 6);
        assert.equal(seen(), "world");
        assert.equal(ended, false);
        peer.end();
        await until("to be told of the end", () => ended);
        assert.equal(seen(), "world");
        assert.throws(() => descriptors.skip(fd, 6), /has 1 bytes less than were seen/);
        assert.equal(seen(), "");
        end();
        descriptors.close(fd);
        assert.throws(() => descriptors.peek(fd, bytes), /cannot be read/);
      }),
  },
  {
    name: "what came before a connection is watched is told, and a reset ends with an error",
    only: "tcp",
    needs,
    run: (stage) =>
      withDoor(stage, async (door) => {
        const { descriptors } = door;
        const peer = await stage.connect(door.listener.address);
        peer.write("x");
        const { fd } = await door.take();
        const bytes = new Uint8Array(new ArrayBuffer(4));
        await until("the byte", () => descriptors.peek(fd, bytes) === 1);
        let told = 0;
        let ended = false;
        const end = descriptors.watchArrivals(fd, (over) => {
          told++;
          ended ||= over;
        });
        await until("to be told", () => told === 1);
        peer.reset();
        await until("to be told of the reset", () => ended);
        descriptors.skip(fd, descriptors.peek(fd, bytes));
        assert.throws(() => descriptors.peek(fd, bytes), { code: "ECONNRESET" });
        end?.();
        descriptors.close(fd);
      }),
  },
];

export const inspections: readonly Case[] = [
  {
    name: "inspect tells a listener from a connection, with their addresses",
    needs,
    run: (stage) =>
      withDoor(stage, async (door) => {
        const { descriptors, listener: { address } } = door;
        const endpoint = stage.transport === "unix" && stage.adapter.features.abstract === true
          ? { transport: "unix" as const, path: `@portico-${process.pid}-${address.path}` }
          : undefined;
        const peer = await stage.connect(address);
        const { fd, origin } = await door.take();
        const found = descriptors.inspect(fd);
        assert.ok(found.kind === "connection");
        assert.equal(String(found.origin.remote), String(origin.remote));
        if (address.path === "") assert.equal(String(found.origin.local), peer.remote);
        descriptors.close(fd);
        assert.throws(() => descriptors.inspect(fd), /is not open|is no socket|descriptor/);
        await withDoor(
          stage,
          async ({ listener }) => {
            const fd = await listener.duplicate();
            const found = descriptors.inspect(fd);
            descriptors.close(fd);
            assert.ok(found.kind === "listener");
            const { socket } = found;
            assert.deepEqual([socket.transport, socket.fd, socket.owned], [
              stage.transport,
              fd,
              false,
            ]);
            if (stage.transport === "tcp" || endpoint !== undefined) {
              assert.equal(String(socket.address), String(listener.address));
            }
          },
          {},
          endpoint,
        );
      }),
  },
  {
    name: "inspect and admit refuse what they cannot serve, and say what it is",
    only: "tcp",
    needs: counted,
    async run(stage) {
      const descriptors = await stage.adapter.descriptors();
      const libc = await openLibc();
      const file = readdirSync("/proc/self/fd").find((fd) => {
        try {
          return !readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
        } catch {
          return false;
        }
      })!;
      const sequenced = libc.socket(AF_UNIX, 5 | SOCK_CLOEXEC, 0);
      const idle = libc.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const refusals: readonly (readonly [number, RegExp])[] = [
        [65_000, /descriptor 65000 is not open/],
        [Number(file), /is no socket/],
        [sequenced, /is a SOCK_SEQPACKET socket/],
        [idle, /neither listens nor is connected/],
      ];
      for (const [fd, message] of refusals) {
        assert.throws(() => descriptors.inspect(fd), { code: "NOT_SUPPORTED", message });
      }
      libc.close(sequenced);
      libc.close(idle);
      const [ours, theirs] = descriptors.pair();
      const address = new Address("tcp", "127.0.0.1", 1, "");
      const attempt = descriptors.admit(inherited(ours, address), new Door(descriptors), {});
      await rejects(attempt, "NOT_SUPPORTED", "is a connection");
      descriptors.close(theirs);
    },
  },
  {
    name: "setgroups takes what the process has; a limit of CPU time can be lifted",
    only: "tcp",
    needs: (harness) => both(needs(harness), harness.adapter.features.processCalls),
    async run(stage) {
      const calls = await stage.adapter.processCalls();
      const groups = process.getgroups!();
      if (process.getuid!() === 0) calls.setGroups(groups);
      else assert.throws(() => calls.setGroups(groups), { code: "EPERM" });
      assert.deepEqual(process.getgroups!(), groups);
      calls.limitCpu(3600);
      calls.limitCpu(0);
    },
  },
];
