import { clearInterval, setInterval } from "node:timers";
import { definePlugin } from "../../../runtime/mod.ts";

/** Logs ten thousand records a second from the first byte on, and one now and then that matters. */
export default definePlugin({
  name: "noise",
  transports: ["stream"],
  start() {
    let timer: ReturnType<typeof setInterval> | undefined;
    let count = 0;
    return {
      data({ log }) {
        timer ??= setInterval(() => {
          for (let i = 0; i < 100; i++) log.info("just noise", { count: count++ });
          if (count % 5000 === 0) log.error("this one matters", { count });
        }, 10);
      },
      stop() {
        clearInterval(timer);
      },
    };
  },
});
