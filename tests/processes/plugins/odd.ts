import * as v from "valibot";
import type { Hooks } from "../../../runtime/mod.ts";
import { definePlugin } from "../../../runtime/mod.ts";

const PIECE = 64 * 1024;
/** What it would be if nothing held it up. */
const FLOOD = 256 * 1024 * 1024;

const never = (): Promise<never> => new Promise(() => {});

const BEHAVIOURS = {
  /** Writes and writes, whatever `write` says. */
  floods: () => ({
    data(session) {
      for (let sent = 0; sent < FLOOD && !session.signal.aborted; sent += PIECE) {
        session.write(new Uint8Array(PIECE).fill(1));
      }
    },
  }),
  /** Writes as much, and waits for room. */
  pours: () => ({
    async handle(session) {
      for (let sent = 0; sent < FLOOD; sent += PIECE) {
        await session.send(new Uint8Array(PIECE).fill(1));
      }
    },
  }),
  /** Does not read. */
  stalls: () => ({
    handle: ({ signal }) =>
      new Promise((resolve) => signal.addEventListener("abort", () => resolve())),
  }),
  /** Answers each line, and says so in the log. */
  talks: () => ({
    async handle(session) {
      for await (const line of session.lines()) {
        session.log.info("a line", { line });
        await session.send(`${line}\n`);
      }
    },
  }),
  /** Comes back from no session, whatever happens to it. */
  hangs: () => ({ handle: never }),
  /** Does not come back when it is stopped. */
  "hangs at stop": () => ({ data() {}, stop: never }),
  "throws at start": () => {
    throw new Error("nothing works today");
  },
  "rejects at start": () => Promise.reject(new Error("nothing works today")),
  "hangs at start": never,
} satisfies Record<string, () => Hooks<undefined> | Promise<never>>;

/** A plugin that does one odd thing. */
export default definePlugin({
  name: "odd",
  transports: ["stream", "datagram"],
  options: v.picklist(Object.keys(BEHAVIOURS) as (keyof typeof BEHAVIOURS)[]),
  start: ({ options }): Hooks<undefined> | Promise<Hooks<undefined>> => BEHAVIOURS[options](),
});
