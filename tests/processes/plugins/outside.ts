import process from "node:process";
import { definePlugin } from "../../../runtime/mod.ts";
import { ODD } from "../../support/odd-values.ts";

/** Throws, outside of its hooks, what each line names: from a timer, from a promise, or from a job for later; or ends the process; or in a hook, or logs it. */
export default definePlugin({
  name: "outside",
  transports: ["stream"],
  start: () => ({
    async handle(session) {
      for await (const line of session.lines()) {
        const [way, what] = line.split(": ") as [string, string];
        if (way === "exit") process.exit(Number(what));
        const value = ODD[what]!();
        const raise = (): never => {
          throw value;
        };
        if (way === "hook") raise();
        if (way === "log") session.log.info("odd", { value });
        else if (way === "timer") setTimeout(raise, 0);
        else if (way === "microtask") queueMicrotask(raise);
        else void Promise.reject(value);
        await session.send(`${line}\n`);
      }
    },
  }),
});
