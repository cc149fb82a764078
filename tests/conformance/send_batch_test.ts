/** What sendmmsg(2) is given, and what becomes of datagrams that share a message when it is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Libc } from "../../adapters/posix/libc.ts";
import { AF_INET, EAGAIN } from "../../adapters/posix/linux.ts";
import { type BatchSender, SendBatch } from "../../adapters/posix/send-batch.ts";
import { encode, type EncodedAddress } from "../../adapters/posix/sockaddr.ts";
import { Address } from "../../runtime/core/endpoint.ts";

const EINVAL = 22;
const ECONNREFUSED = 111;
const peer = (port: number): EncodedAddress =>
  encode(new Address("udp", "127.0.0.1", port, ""), AF_INET)!;
const one = peer(1);
const other = peer(2);

/** A socket, and a kernel that answers each call with the next of `answers`; then it takes everything. */
class Scene implements BatchSender {
  readonly fd = 3;
  segments = true;
  /** Messages that each call was given. */
  readonly calls: number[] = [];
  readonly waiting: number[][] = [];
  readonly errnos: number[] = [];
  readonly batch: SendBatch;

  constructor(...answers: readonly number[]) {
    const left = [...answers];
    this.batch = new SendBatch({
      address: () => 0x1000,
      pointer: (address) => address,
      sendmmsg: (_fd, _vector, count) => {
        this.calls.push(count);
        return left.shift() ?? count;
      },
    } as Partial<Libc> as Libc);
  }

  stopSegments(): void {
    this.segments = false;
  }
  hasWaiting(): boolean {
    return this.waiting.length > 0;
  }
  wait(bytes: Uint8Array): void {
    this.waiting.push([...bytes]);
  }
  failed(errno: number): void {
    this.errnos.push(errno);
  }
  report(): void {}

  /** Sends them in one batch. */
  send(...datagrams: readonly (readonly [EncodedAddress, number, number?])[]): this {
    this.batch.beginBatch();
    for (const [to, size, byte = 0] of datagrams) {
      this.batch.add(this, new Uint8Array(size).fill(byte), to, undefined);
    }
    this.batch.endBatch();
    return this;
  }
}

const eight = Array.from({ length: 8 }, (_, i) => [one, 64, i] as const);

test("datagrams of one size to one peer are one message, the last may be shorter", () => {
  assert.deepEqual(new Scene().send(...eight).calls, [1]);
  assert.deepEqual(new Scene().send(...eight, [one, 10]).calls, [1]);
  assert.deepEqual(new Scene().send(...eight, [one, 10], [one, 10]).calls, [2]);
});

test("another peer, a larger size, an empty one and one that links may cut are messages of their own", () => {
  assert.deepEqual(new Scene().send([one, 64], [other, 64], [one, 64]).calls, [3]);
  assert.deepEqual(new Scene().send([one, 64], [one, 65]).calls, [2]);
  assert.deepEqual(new Scene().send([one, 64], [one, 10], [one, 64]).calls, [2]);
  assert.deepEqual(new Scene().send([one, 0], [one, 0], [one, 64], [one, 0]).calls, [4]);
  assert.deepEqual(new Scene().send([one, 1233], [one, 1233]).calls, [2]);
  const many = Array.from({ length: 65 }, () => [one, 1] as const);
  assert.deepEqual(new Scene().send(...many).calls, [2]);
});

test("a socket whose messages are not cut sends each alone", () => {
  const scene = new Scene();
  scene.segments = false;
  assert.deepEqual(scene.send(...eight).calls, [8]);
});

test("a message that cannot be cut: its datagrams go alone, and so do all from then on", () => {
  const scene = new Scene(-EINVAL).send(...eight);
  assert.deepEqual(scene.calls, [1, 1, 1, 1, 1, 1, 1, 1, 1]);
  assert.deepEqual(scene.errnos, []);
  scene.calls.length = 0;
  assert.deepEqual(scene.send(...eight).calls, [8]);
});

test("an error is one datagram's, the others of its message are sent", () => {
  const scene = new Scene(-ECONNREFUSED).send(...eight);
  assert.deepEqual(scene.calls, [1, 1, 1, 1, 1, 1, 1, 1]);
  assert.deepEqual(scene.errnos, [ECONNREFUSED]);
  assert.equal(scene.segments, true);
});

test("a full queue: the datagrams of a message wait each by itself, in order", () => {
  const scene = new Scene(-EAGAIN).send(...eight, [one, 10, 9], [other, 64, 10]);
  assert.deepEqual(scene.waiting.map((bytes) => bytes[0]), [0, 1, 2, 3, 4, 5, 6, 7, 9, 10]);
  assert.deepEqual(scene.waiting.map((bytes) => bytes.length), [...Array(8).fill(64), 10, 64]);
  assert.deepEqual(scene.errnos, []);
});
