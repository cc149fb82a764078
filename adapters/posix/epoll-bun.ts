/** The thread of epoll-watch.ts on Bun: waits, and posts the descriptors that are readable. */
import { ptr } from "bun:ffi";
import { parentPort, workerData } from "node:worker_threads";
import { type EpollData, eventBuffer, EVENTS, readyIn } from "./epoll-watch.ts";
import { openCalls } from "./ffi-bun.ts";

const { epoll, stop } = workerData as EpollData;
const c = openCalls();
const events = eventBuffer();
const at = ptr(events);

for (;;) {
  // Without a time limit; EINTR comes back as -1 and is tried again.
  const ready = readyIn(events, c.epoll_wait(epoll, at, EVENTS, -1));
  if (ready.includes(stop)) break;
  if (ready.length > 0) parentPort!.postMessage(ready);
}
