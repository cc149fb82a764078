import { appendFileSync } from "node:fs";
import process from "node:process";
import * as v from "valibot";
import { definePlugin } from "../../../runtime/mod.ts";

const text = new TextDecoder();

/** An echo that tells what it was started with, and that it was stopped. */
export default definePlugin({
  name: "versioned",
  transports: ["stream", "datagram"],
  options: v.strictObject({
    version: v.optional(v.number(), 0),
    /** A file that gets a line with each start and stop. */
    book: v.optional(v.string()),
    fails: v.optional(v.boolean(), false),
  }),
  start({ options: { version, book, fails } }) {
    if (fails) throw new Error("nothing works today");
    const enter = (what: string): void => {
      if (book !== undefined) appendFileSync(book, `${what} ${process.pid}\n`);
    };
    enter("start");
    return {
      setup(session) {
        session.signal.addEventListener("abort", () => {
          session.log.info("over", { why: String((session.signal.reason as Error).message) });
        });
      },
      data(session, chunk) {
        const question = text.decode(chunk);
        if (question === "version?\n") session.write(`${version}\n`);
        else if (question === "pid?\n") session.write(`${process.pid}\n`);
        else session.write(chunk);
      },
      stop: () => enter("stop"),
    };
  },
});
