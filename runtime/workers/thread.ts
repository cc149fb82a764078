/** A worker in a thread, which is told of its ends of the channel. */
import { workerData } from "node:worker_threads";
import type { ChannelEnds } from "./channel-ends.ts";
import { serve } from "./serve.ts";

await serve(() => workerData as ChannelEnds, false);
