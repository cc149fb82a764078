/** The life of one service: what each call does in each state, and in every order of two. */
import assert from "node:assert/strict";
import { connect as dial } from "node:net";
import { describe, test, type TestContext } from "node:test";
import type { Clock } from "../../runtime/core/clock.ts";
import type { Address } from "../../runtime/core/endpoint.ts";
import { PorticoError } from "../../runtime/core/errors.ts";
import type { Hooks } from "../../runtime/core/plugin.ts";
import type { LogRecord } from "../../runtime/core/record.ts";
import { Gather } from "../../runtime/core/stream/gather.ts";
import { startInline } from "../../runtime/services/inline.ts";
import { RunningService } from "../../runtime/services/running.ts";
import { adapter, lackingFeature } from "../support/adapter.ts";
import { logTo, readyService } from "../support/in-process.ts";
import { countDescriptors } from "../support/proc.ts";
import { LoadMeter } from "../../runtime/services/load.ts";
import { OwnSockets } from "../../runtime/core/admission/own-sockets.ts";
import { StillClock } from "../support/still-clock.ts";
import { gate, until, within } from "../support/until.ts";

const echo: Hooks<never> = { data: (session, chunk) => void session.write(chunk) };

/** Starts one on a free port of TCP and one of UDP. */
async function start(t: Pick<TestContext, "after">, hooks: Hooks<never> = echo, clock?: Clock) {
  const records: LogRecord[] = [];
  const log = logTo((record) => records.push(record), "debug", () => {});
  const listen = ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"];
  let id = 0;
  const service = await RunningService.start(
    readyService(hooks, log, { listen }),
    {
      adapter,
      gather: new Gather(adapter),
      nextId: () => ++id,
      ownSockets: new OwnSockets(() => false),
      load: new LoadMeter(),
      worker: "",
      inherit: () => Promise.resolve([]),
      ...(clock && { clock }),
    },
    { sockets: new Map() },
    startInline,
  );
  t.after(() => within("the end of the service", service.stop(0)));
  return { service, records };
}

/** A peer, and what it has been sent. */
async function connect(t: Pick<TestContext, "after">, { port }: Address) {
  const socket = dial(port, "127.0.0.1");
  socket.on("error", () => {});
  t.after(() => void socket.destroy());
  const peer = { socket, text: "", ended: false };
  socket.setEncoding("utf8").on("data", (text: string) => peer.text += text);
  socket.on("end", () => peer.ended = true).on("close", () => peer.ended = true);
  await within("a connection", new Promise<void>((resolve) => socket.once("connect", resolve)));
  return peer;
}

/** What a runtime opens once, and keeps, is no leak: everything is done once before anything is counted. */
async function warmUp(t: Pick<TestContext, "after">): Promise<void> {
  const { service } = await start(t);
  await service.suspend();
  const peer = await connect(t, service.addresses[0]!);
  peer.socket.write("x");
  await service.resume();
  await until("the echo", () => peer.text === "x");
  await service.stop(0);
}
let warm: Promise<void> | undefined;

const CALLS = {
  suspend: (service: RunningService) => service.suspend(),
  resume: (service: RunningService) => service.resume(),
  drain: (service: RunningService) => service.drain(1000),
  stop: (service: RunningService) => service.stop(1000),
} as const;
type Call = keyof typeof CALLS;

/** What a running service is after two calls, the second of which comes before the first is done. */
const AFTER: Readonly<Record<Call, Readonly<Record<Call, string>>>> = {
  suspend: { suspend: "suspended", resume: "running", drain: "suspended", stop: "stopped" },
  resume: { suspend: "suspended", resume: "running", drain: "suspended", stop: "stopped" },
  drain: { suspend: "suspended", resume: "running", drain: "suspended", stop: "stopped" },
  stop: { suspend: "stopped", resume: "stopped", drain: "stopped", stop: "stopped" },
};

describe("RunningService", { skip: lackingFeature("descriptors") }, () => {
  for (const first of Object.keys(CALLS) as Call[]) {
    for (const second of Object.keys(CALLS) as Call[]) {
      test(`${first}, then ${second} at once: ${AFTER[first][second]}`, async (t) => {
        await (warm ??= warmUp(t));
        const { service } = await start(t);
        const [tcp] = service.addresses;
        const open = countDescriptors();
        const calls = [CALLS[first](service), CALLS[second](service)];
        const results = await within("both", Promise.allSettled(calls));
        assert.equal(service.status().state, AFTER[first][second]);
        // Whoever stops is asked for nothing else.
        const refused = first === "stop" && second !== "stop";
        assert.deepEqual(
          results.map(({ status }) => status),
          ["fulfilled", refused ? "rejected" : "fulfilled"],
        );
        if (refused) {
          const { reason } = results[1] as PromiseRejectedResult;
          assert.ok(reason instanceof PorticoError && reason.code === "NOT_SUPPORTED");
          assert.match(reason.message, /the service "tested" is stopping/);
        }
        if (service.status().state === "stopped") return;
        const peer = await connect(t, tcp!);
        peer.socket.write("x");
        if (service.status().state === "suspended") {
          await service.resume();
          assert.equal(service.status().state, "running");
        }
        await until("the echo", () => peer.text === "x");
        peer.socket.destroy();
        await until("the end of the session", () => service.status().live === 0);
        assert.ok(countDescriptors() <= open + 1, "no descriptor is left");
      });
    }
  }

  test("resume ends a drain at once, and nobody is cut by its timer", async (t) => {
    const clock = new StillClock();
    const { service, records } = await start(t, echo, clock);
    const peer = await connect(t, service.addresses[0]!);
    await until("the session", () => service.status().live === 1);
    const drained = service.drain(150);
    await until("the drain", () => service.status().state === "draining");
    await within("resume", service.resume());
    await within("the drain's answer", drained);
    assert.equal(service.status().state, "running");
    const other = await connect(t, service.addresses[0]!);
    // A second one has its own time.
    const second = service.drain(60_000);
    clock.move(1000);
    for (const each of [peer, other]) each.socket.write("still here");
    await until("both echoes", () => peer.text + other.text === "still herestill here");
    for (const each of [peer, other]) each.socket.end();
    await within("the second drain", second);
    assert.deepEqual(records.filter(({ event }) => event === "close").map(({ reason }) => reason), [
      "peer",
      "peer",
    ]);
  });

  test("a drain whose time is over cuts who is left; the service is suspended then", async (t) => {
    const { service, records } = await start(t);
    const peer = await connect(t, service.addresses[0]!);
    await until("the session", () => service.status().live === 1);
    await within("the drain", service.drain(20));
    assert.equal(service.status().state, "suspended");
    await until("the cut", () => peer.ended);
    assert.equal(records.find(({ event }) => event === "close")!["reason"], "drain");
  });

  test("a second drain may shorten the first, stop ends it, a second stop is quick", async (t) => {
    const { service } = await start(t);
    await connect(t, service.addresses[0]!);
    await until("the session", () => service.status().live === 1);
    const long = service.drain(60_000);
    await within("a short one", service.drain(20));
    await within("the long one", long);
    await service.resume();
    await connect(t, service.addresses[0]!);
    await until("another session", () => service.status().live === 1);
    const draining = service.drain(60_000);
    const stopping = service.stop(60_000);
    await within("the drain that a stop follows", Promise.race([draining, service.stop(0)]));
    await within("the stop", stopping);
    assert.equal(service.status().state, "stopped");
  });

  test("a stop that waits for a hook waits for no other call", async (t) => {
    const { passed, open } = gate();
    const { service } = await start(t, { data: () => passed });
    const peer = await connect(t, service.addresses[0]!);
    peer.socket.write("x");
    await until("the session", () => service.status().bytesIn > 0 || service.status().live === 1);
    const stopping = service.stop(5000);
    await assert.rejects(service.resume(), { code: "NOT_SUPPORTED" });
    await assert.rejects(service.duplicates(), { code: "NOT_SUPPORTED" });
    open();
    peer.socket.end();
    await within("the stop", stopping);
  });
});
