/** What an operator asks for, in every order of two: the state that it comes to, and what newcomers see. */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync } from "node:fs";
import type { Case } from "../case.ts";
import type { Stage } from "../stage.ts";
import { knock, parseEndpoint, within } from "../support.ts";

type State = "running" | "suspended" | "stopped";
type Asked = "suspend" | "resume" | "reload" | "change" | "drain" | "stop";

const ASKED: readonly Asked[] = ["suspend", "resume", "reload", "change", "drain", "stop"];

/** The state after each; undefined where it is refused, and nothing changes. */
const AFTER: Readonly<Record<State, Readonly<Record<Asked, State | undefined>>>> = {
  running: {
    suspend: "suspended",
    resume: "running",
    reload: "running",
    change: "running",
    drain: "suspended",
    stop: "stopped",
  },
  suspended: {
    suspend: "suspended",
    resume: "running",
    reload: "suspended",
    // It is another service, which begins on the same sockets.
    change: "running",
    drain: "suspended",
    stop: "stopped",
  },
  stopped: {
    suspend: undefined,
    resume: undefined,
    reload: "stopped",
    change: "running",
    drain: undefined,
    stop: undefined,
  },
};

async function ask(stage: Stage, asked: Asked): Promise<void> {
  if (asked === "reload") await stage.reload();
  else if (asked === "change") await stage.change();
  else await stage.control(asked);
}

/** Nobody listens any more, and the place is free. */
async function free(endpoint: string): Promise<void> {
  const place = parseEndpoint(endpoint) as { path?: string; host: string; port: number };
  if (place.path !== undefined) {
    return assert.equal(existsSync(place.path), false, `${endpoint} is left`);
  }
  if (!endpoint.startsWith("udp:")) return assert.equal(await knock(endpoint), "ECONNREFUSED");
  const socket = createSocket("udp4");
  try {
    socket.bind(place.port, place.host);
    await within(`the port of ${endpoint}`, once(socket, "listening"));
  } finally {
    socket.close();
  }
}

/** What newcomers see; one that was suspended runs afterwards. */
async function look(stage: Stage, state: State, endpoint: string, what: string): Promise<void> {
  const found = await stage.status();
  assert.deepEqual([found.state, found.live], [state, 0], what);
  if (state === "stopped") return await free(endpoint);
  if (state === "running") return assert.equal(await stage.ask("echo in"), "in", what);
  const newcomer = await stage.call("echo in");
  const { live, refused } = await stage.status();
  assert.deepEqual([live, refused, newcomer.answered], [0, 0, false], what);
  await stage.control("resume");
  assert.equal(await newcomer.done(), "in", what);
  await stage.idle({ state: "running" });
}

/** From running, asks for one thing and then for another one. */
async function pair(stage: Stage, first: Asked, second: Asked): Promise<void> {
  const endpoint = await stage.endpoint();
  let state: State = "running";
  for (const asked of [first, second]) {
    const what = `${first}, then ${second}: after ${asked}`;
    const next: State | undefined = AFTER[state][asked];
    if (next === undefined) await assert.rejects(ask(stage, asked), /stopped/, what);
    else await ask(stage, asked);
    state = next ?? state;
    const { state: found } = await stage.status();
    assert.equal(found, state, what);
  }
  await look(stage, state, endpoint, `${first}, then ${second}`);
  if (state === "stopped") await stage.change();
  await stage.idle({ state: "running" });
}

const PAIRS: readonly Case[] = ASKED.map((first) => ({
  name: `after ${first}: ${ASKED.join(", ")}`,
  async run(stage: Stage) {
    for (const second of ASKED) await pair(stage, first, second);
    assert.equal(await stage.ask("echo again"), "again");
    await stage.idle({ refused: 0, errors: 0 });
  },
}));

/** What comes of it that something is asked for while a drain goes on. */
const DURING: Readonly<Record<Exclude<Asked, "resume">, State>> = {
  suspend: "suspended",
  reload: "suspended",
  change: "running",
  drain: "suspended",
  stop: "stopped",
};

const DRAINING: readonly Case[] = (Object.keys(DURING) as (keyof typeof DURING)[]).map((asked) => ({
  name: `${asked} during a drain: who had come is answered`,
  async run(stage: Stage) {
    const endpoint = await stage.endpoint();
    const first = await stage.occupy("a");
    const second = await stage.call("echo b");
    await stage.until({ live: 2, held: 1 });
    const drained = stage.control("drain");
    await stage.until({ state: "draining" });
    const done = ask(stage, asked);
    done.catch(() => {});
    // These two are answered when those who had come are.
    if (asked !== "drain" && asked !== "stop") await done;
    await stage.until({ live: 2, refused: 0 });
    stage.mark("a");
    assert.equal(await first.done(), "a");
    assert.equal(await second.done(), "b");
    await within(`the answer to ${asked}`, done);
    await within("the answer to the drain", drained);
    await stage.idle({ state: DURING[asked], served: 2, refused: 0 });
    await look(stage, DURING[asked], endpoint, asked);
  },
}));

export const VERBS: readonly Case[] = [...PAIRS, ...DRAINING];
