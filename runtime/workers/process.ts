/** A worker in a process of its own, which finds the channel as its stdin. */
import process from "node:process";
import { takeEnds } from "./channel-ends.ts";
import { serve } from "./serve.ts";

// A terminal sends these to everyone; the supervisor decides what they mean.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR2"] as const) {
  process.on(signal, () => {});
}
await serve(takeEnds, true);
