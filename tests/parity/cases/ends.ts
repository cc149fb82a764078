/** Every way in which a session ends: its records, its counts, and that place and turn are given back. */
import assert from "node:assert/strict";
import { type Case, DATAGRAMS, SESSIONS, STREAMS, type Transport, TRANSPORTS } from "../case.ts";
import type { Stage } from "../stage.ts";

interface End {
  readonly name: string;
  readonly transports?: readonly Transport[];
  readonly limits?: Readonly<Record<string, unknown>>;
  readonly needs?: Case["needs"];
  /** Has one session begin, and end. */
  readonly act: (stage: Stage) => Promise<unknown>;
  /** Why, in its `close` record; undefined where it was never open. */
  readonly reason?: string;
  /** What was said and answered, as bytes. */
  readonly bytes?: readonly [number, number];
  /** The status that a request is answered with; 0 when nobody was there any more. */
  readonly status?: number;
  readonly errors?: number;
}

/** Says a line that is not answered: the server ends it. */
const fails = (line: string) => async (stage: Stage) => await (await stage.call(line)).refused(500);

/** Says a line while a hook is marked to fail. */
const marked = (mark: string) => async (stage: Stage) => {
  stage.mark(mark);
  await fails("echo x")(stage);
  await stage.idle({ errors: 1 });
  stage.unmark(mark);
};

async function finishThrows(stage: Stage): Promise<void> {
  stage.mark("finish.throws");
  await stage.ask("echo x");
  await stage.idle({ errors: 1 });
  stage.unmark("finish.throws");
}

/** Holds the turn, and is gone before it is answered. */
const leaves = (reset: boolean) => async (stage: Stage) => {
  (await stage.occupy("a")).leave(reset);
  await stage.idle();
};

/** In clear and by TLS. */
const TLS_TOO: readonly Transport[] = [...STREAMS, "tls"];

const ECHO = ["echo x\n".length, "x\n".length] as const;

const ENDS_OF_SESSIONS: readonly End[] = [
  {
    name: "its peer has said all, and heard all",
    transports: TLS_TOO,
    act: (stage) => stage.ask("echo x"),
    reason: "peer",
    bytes: ECHO,
  },
  {
    name: "the handler has done its work",
    transports: TLS_TOO,
    act: (stage) => stage.ask("bye"),
    reason: "done",
    bytes: [4, 4],
  },
  {
    name: "it is answered",
    transports: ["udp", "unixgram", "http"],
    act: (stage) => stage.ask("echo x"),
    reason: "done",
    bytes: ECHO,
    status: 200,
  },
  {
    name: "the handler throws",
    transports: TRANSPORTS,
    act: fails("throw"),
    reason: "error",
    bytes: [6, 0],
    status: 500,
    errors: 1,
  },
  {
    name: "the handler rejects",
    act: fails("reject"),
    reason: "error",
    bytes: [7, 0],
    status: 500,
    errors: 1,
  },
  {
    name: "the handler aborts it",
    transports: [...SESSIONS, "tls"],
    act: fails("abort"),
    reason: "aborted",
    bytes: [6, 0],
  },
  {
    name: "its peer resets it while it is served",
    transports: ["tcp"],
    act: leaves(true),
    reason: "reset",
    bytes: [7, 0],
  },
  {
    name: "its peer is gone while it is served",
    transports: ["http"],
    act: leaves(false),
    reason: "peer",
    status: 0,
  },
  {
    name: "its peer resets it after an answer",
    transports: ["tcp", "tls"],
    act: async (stage) => {
      const call = await stage.call("echo x");
      await call.answer();
      call.leave(true);
    },
    reason: "reset",
    bytes: ECHO,
  },
  {
    name: "its peer is cut off, without a farewell",
    transports: TLS_TOO,
    act: async (stage) => {
      const call = await stage.call("echo x");
      await call.answer();
      call.leave();
    },
    reason: "peer",
    bytes: ECHO,
  },
  {
    name: "limits.idle strikes",
    transports: TLS_TOO,
    limits: { idle: "1200ms" },
    act: async (stage) => {
      const call = await stage.call("echo x");
      await call.answer();
      await stage.records("close", 1);
      call.leave();
    },
    reason: "idle",
    bytes: ECHO,
  },
  {
    name: "limits.firstByte strikes",
    transports: STREAMS,
    limits: { firstByte: "200ms" },
    act: fails(""),
    reason: "firstByte",
    bytes: [0, 0],
  },
  {
    name: "limits.progress strikes who sends half a line",
    transports: STREAMS,
    limits: { progress: "256B/1200ms" },
    act: async (stage) => {
      await stage.call("half", { half: true });
      await stage.records("close", 1);
    },
    reason: "progress",
    bytes: ["half".length, 0],
  },
  {
    name: "limits.progress strikes who does not read",
    transports: STREAMS,
    limits: { progress: "256B/200ms" },
    act: async (stage) => {
      await stage.call("pour", { deaf: true });
      await stage.records("close", 1);
    },
    reason: "progress",
  },
  {
    name: "limits.handler strikes",
    transports: TRANSPORTS,
    limits: { handler: "1s" },
    act: async (stage) => await (await stage.call("hold never")).refused(503),
    reason: "handler",
    bytes: ["hold never\n".length, 0],
    status: 503,
  },
  {
    name: "limits.lifetime strikes",
    limits: { lifetime: "1s" },
    act: async (stage) => await (await stage.call("hold never")).refused(503),
    reason: "lifetime",
    bytes: ["hold never\n".length, 0],
    status: 503,
  },
  {
    name: "setup throws",
    transports: SESSIONS,
    act: marked("setup.throws"),
    reason: "error",
    errors: 1,
  },
  {
    name: "setup rejects",
    transports: SESSIONS,
    act: marked("setup.rejects"),
    reason: "error",
    errors: 1,
  },
  {
    name: "verify throws: it was never open",
    act: marked("verify.throws"),
    errors: 1,
  },
  {
    name: "verify rejects: it was never open",
    act: marked("verify.rejects"),
    errors: 1,
  },
  {
    name: "its peer has said all, and finish throws",
    transports: STREAMS,
    act: finishThrows,
    // It had ended before.
    reason: "peer",
    bytes: ECHO,
    errors: 1,
  },
  {
    name: "it is answered, and finish throws",
    transports: DATAGRAMS,
    act: finishThrows,
    reason: "error",
    bytes: ECHO,
    errors: 1,
  },
];

/** The fields of `close`, and the order of the records. */
async function check(stage: Stage, { reason, bytes, status, errors = 0 }: End): Promise<void> {
  const served = reason === undefined ? 0 : 1;
  const found = await stage.idle({ served, refused: 0, errors });
  assert.equal(stage.all({ event: "refuse" }).length, 0);
  if (errors > 0) {
    const [record] = await stage.records("error", errors);
    assert.deepEqual([record!.level, record!["side"]], ["error", "plugin"]);
    assert.equal(record!["code"], "HOOK_FAILED");
  }
  if (reason === undefined) {
    const events = stage.all({ event: /^(open|close)$/ });
    return assert.deepEqual(events.map(({ event }) => event), []);
  }
  const [close] = await stage.records("close", 1);
  const { session } = close!;
  const events = stage.all({ session, event: /^(open|close)$/ }).map(({ event }) => event);
  assert.deepEqual(events, ["open", "close"]);
  const { time: _, durationMs, path: _path, bytesIn, bytesOut, remote, code, message, ...rest } =
    close!;
  const [open] = stage.all({ session, event: "open" });
  assert.equal(remote, open!["remote"]);
  // What has ended it, where something has.
  assert.equal(code, reason === "error" ? "HOOK_FAILED" : undefined);
  assert.equal(/ on purpose$/.test(String(message)), reason === "error", String(message));
  assert.ok(Number.isSafeInteger(durationMs) && (durationMs as number) >= 0, `${durationMs}`);
  assert.deepEqual(rest, {
    level: stage.kind === "stream" ? "info" : "debug",
    event: "close",
    service: stage.name,
    session,
    reason,
    ...(stage.kind === "http" && { method: "GET", status }),
  });
  if (stage.kind === "http") return assert.equal(bytesIn, undefined);
  assert.ok(Number.isSafeInteger(bytesIn) && Number.isSafeInteger(bytesOut), "bytes are counted");
  if (bytes !== undefined) assert.deepEqual([bytesIn, bytesOut], bytes);
  if (bytes !== undefined) assert.deepEqual([found.bytesIn, found.bytesOut], bytes);
}

function caseOf(end: End): Case {
  const { name, transports, limits, needs } = end;
  return {
    name: `the end of a session: ${name}`,
    ...(transports !== undefined && { transports }),
    ...(needs !== undefined && { needs }),
    limits: { sessions: 2, ...limits },
    async run(stage: Stage) {
      await end.act(stage);
      await check(stage, end);
      if (limits === undefined) await stage.refill(2);
    },
  };
}

export const ENDS: readonly Case[] = ENDS_OF_SESSIONS.map(caseOf);
