import * as v from "valibot";
import type { Hooks } from "../../../runtime/mod.ts";
import { definePlugin } from "../../../runtime/mod.ts";

export const HOOKS = [
  "verify",
  "setup",
  "data",
  "end",
  "drain",
  "handle",
  "finish",
  "error",
  "stop",
] as const;
export const WAYS = ["throws", "rejects"] as const;

type Hook = typeof HOOKS[number];

/** More than a turn's share: `drain` follows. */
const MUCH = new Uint8Array(512 * 1024);

/** An echo, one hook of which always fails. */
export default definePlugin({
  name: "failing",
  transports: ["stream", "datagram"],
  options: v.strictObject({ hook: v.picklist(HOOKS), way: v.picklist(WAYS) }),
  start({ options: { hook, way } }) {
    const fail = (here: Hook): Promise<never> | undefined => {
      if (here !== hook) return undefined;
      const error = new Error(`${hook} ${way}`);
      if (way === "throws") throw error;
      return Promise.reject(error);
    };
    const hooks: Hooks<undefined> = {
      verify: () => fail("verify") ?? true,
      setup: () => fail("setup"),
      finish: () => fail("finish"),
      stop: () => fail("stop"),
      ...(hook === "error" && { error: () => fail("error") }),
    };
    if (hook === "handle") {
      return {
        ...hooks,
        async handle(session) {
          session.write(await session.readExactly(1));
          await fail("handle");
        },
      };
    }
    return {
      ...hooks,
      data(session, chunk) {
        if (hook === "error") throw new Error("data throws");
        session.write(hook === "drain" ? MUCH : chunk);
        return fail("data");
      },
      end(session) {
        session.end();
        return fail("end");
      },
      drain: () => fail("drain"),
    };
  },
});
