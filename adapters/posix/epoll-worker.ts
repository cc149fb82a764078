/** The thread of epoll.ts: waits, and posts the descriptors that are readable. */
import { parentPort, workerData } from "node:worker_threads";
import { ptr } from "bun:ffi";
import { type EpollData, EVENT_DATA, EVENT_WORDS } from "./epoll.ts";
import { openSymbols } from "./ffi-bun.ts";

const EVENTS = 64;

const { epoll, stop } = workerData as EpollData;
const c = openSymbols();
const events = new Int32Array(new ArrayBuffer(EVENTS * EVENT_WORDS * 4));
const at = ptr(events);

for (;;) {
  // Without a time limit; EINTR comes back as -1 and is tried again.
  const count = c.epoll_wait(epoll, at, EVENTS, -1);
  const ready: number[] = [];
  for (let i = 0; i < count; i++) ready.push(events[i * EVENT_WORDS + EVENT_DATA]!);
  if (ready.includes(stop)) break;
  if (ready.length === 1) parentPort!.postMessage(ready[0]);
  else if (ready.length > 1) parentPort!.postMessage(ready);
}
