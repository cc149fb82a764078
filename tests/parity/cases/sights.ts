/** What a handler and its client see. */
import assert from "node:assert/strict";
import type { Case } from "../case.ts";
import type { Stage } from "../stage.ts";

/** The scheme is that of the socket: a request comes over tcp. */
export function addressOf(endpoint: string): string {
  return endpoint.replace(/^\w+:/, "");
}

export function fits(found: unknown, wanted: string | RegExp): void {
  if (typeof wanted === "string") assert.equal(found, wanted);
  else assert.match(String(found), wanted);
}

export const SIGHTS: readonly Case[] = [
  {
    name: "a handler sees its session's number, and both addresses",
    async run(stage: Stage) {
      const call = await stage.call("who");
      const { id, kind, remote, local } = JSON.parse(await call.done());
      const [open] = await stage.records("open", 1);
      assert.equal(id, open!.session);
      assert.equal(kind, stage.kind);
      assert.equal(remote, open!["remote"]);
      assert.equal(local, open!["local"]);
      fits(remote, call.name);
      assert.equal(addressOf(String(local)), addressOf(await stage.endpoint()));
    },
  },
  {
    name: "the hooks of a session run once each, in their order",
    async run(stage: Stage) {
      assert.equal(await stage.ask("echo hello"), "hello");
      await stage.idle({ served: 1 });
      const hooks = stage.kind === "http"
        ? ["verify", "handle"]
        : ["verify", "setup", "handle", "finish"];
      for (const hook of hooks) await stage.traces(hook, 1);
    },
  },
];
