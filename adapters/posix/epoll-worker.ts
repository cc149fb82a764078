/** The thread of epoll-thread.ts: waits, and posts the descriptors that are readable. */
import { ptr } from "bun:ffi";
import { parentPort, workerData } from "node:worker_threads";
import type { EpollData } from "./epoll-thread.ts";
import { openCalls } from "./ffi-bun.ts";
import { EPOLL_EVENT_DATA, EPOLL_EVENT_WORDS } from "./linux.ts";

/** Events that one wait can bring. */
const EVENTS = 64;

const { epoll, stop } = workerData as EpollData;
const c = openCalls();
const events = new Int32Array(new ArrayBuffer(EVENTS * EPOLL_EVENT_WORDS * 4));
const at = ptr(events);

for (;;) {
  // Without a time limit; EINTR comes back as -1 and is tried again.
  const count = c.epoll_wait(epoll, at, EVENTS, -1);
  const ready: number[] = [];
  for (let i = 0; i < count; i++) ready.push(events[i * EPOLL_EVENT_WORDS + EPOLL_EVENT_DATA]!);
  if (ready.includes(stop)) break;
  if (ready.length === 1) parentPort!.postMessage(ready[0]);
  else if (ready.length > 1) parentPort!.postMessage(ready);
}
