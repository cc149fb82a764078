/** Descriptors along a pair of sockets, and what a descriptor turns out to be. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readlinkSync } from "node:fs";
import { until, within } from "../support/until.ts";
import { count, countBack, counted, needs, read, withDoor } from "./door.ts";
import type { Case } from "./stage.ts";
import { both, programs } from "./stage.ts";

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
