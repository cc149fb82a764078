/**
 * What serves sessions, of what is a runtime's own and what all share. Everything is loaded at first need: a
 * worker that serves one session needs little of it.
 */
import process from "node:process";
import type { Adapter, BindableEndpoint, Features, StreamTable } from "../runtime/core/contract.ts";
import type { SessionAdapter } from "../runtime/core/descriptors.ts";
import type { InternetEndpoint } from "../runtime/core/endpoint.ts";
import type { Spawn } from "../runtime/core/process.ts";
import { type Connect, giveUp } from "./connect.ts";
import { connectFailure } from "./errno.ts";
import { ffiSupport, type Libc, openLibc } from "./posix/libc.ts";
import type { Adopted } from "./http/connections.ts";
import type { Bridge } from "./http/server.ts";
import type { Adopt } from "./posix/passing.ts";

/** What is a runtime's own. */
export interface Runtime {
  readonly name: string;
  readonly features: Features;
  stream(): Promise<{ readonly listen: Adapter["listen"] }>;
  /**
   * What listens at `tls` endpoints, and where connections {@link StreamTable.upgrades}: its connections, of `node:net`
   * or its own, go over to TLS at no cost.
   */
  secureStream(): Promise<{ readonly listen: Adapter["listen"] }>;
  datagram(): Promise<{ readonly bind: Adapter["bind"] }>;
  http(): Promise<{ readonly serve: Adapter["serve"] }>;
  /** HTTP of connections that no listener of its own for HTTP has accepted. */
  requests(): Promise<{ readonly socketOf: Adopted; readonly bridge: Bridge }>;
  connect(): Promise<{ readonly connect: Connect; readonly adopt: Adopt }>;
  /** What its connections need to be secured. */
  prepareTls?(): Promise<void>;
  /** Its own way to start programs, where that of `node:child_process` lets them inherit more than they may. */
  spawn?(libc: Libc): Promise<Spawn>;
  /** The backlog of a listener when nobody sets one. */
  readonly backlog: number;
  readonly turns: Adapter["turns"];
  /** See {@link Adapter.giveWay}. */
  readonly giveWay?: Adapter["giveWay"];
  /** See {@link Adapter.now}. */
  readonly now?: () => number;
  /** Has the runtime tell its `process` of every value that nobody caught, where it does not by itself. */
  tellsUncaught?(): void;
}

/** Puts it together. */
export function sessionAdapter(runtime: Runtime): SessionAdapter {
  const { name, features, turns } = runtime;
  return {
    name,
    features,
    listen: async (endpoint, table, options) =>
      await (await streamFor(runtime, endpoint, table)).listen(endpoint, table, options),
    bind: async (...words) => await (await runtime.datagram()).bind(...words),
    serve: async (...words) => await (await runtime.http()).serve(...words),
    requests: async (local, table, tls) => {
      const [{ AdoptedConnections }, { socketOf, bridge }] = await Promise.all([
        import("./http/connections.ts"),
        runtime.requests(),
      ]);
      return new AdoptedConnections(socketOf, bridge, local, table, tls);
    },
    connect: connectWith(runtime),
    dial,
    tls: once(async () => {
      const [{ engine }] = await Promise.all([import("./tls/engine.ts"), runtime.prepareTls?.()]);
      return engine;
    }),
    passing: once(async () => {
      const [libc, { makePassing }, { adopt }] = await Promise.all([
        openLibc(),
        import("./posix/passing.ts"),
        runtime.connect(),
      ]);
      return makePassing(libc, adopt);
    }),
    descriptors: once(async () => {
      const libc = await openLibc();
      const [{ makeDescriptors }, { adopt }, spawn] = await Promise.all([
        import("./posix/descriptors.ts"),
        runtime.connect(),
        runtime.spawn?.(libc) ?? spawnByNode(),
      ]);
      return makeDescriptors(libc, adopt, spawn);
    }),
    processCalls: once(async () => {
      const libc = await openLibc();
      return (await import("./posix/process.ts")).makeProcessCalls(libc);
    }),
    turns,
    defer: (callback) => void setImmediate(callback),
    giveWay: runtime.giveWay,
    onUncaught: (report) => {
      runtime.tellsUncaught?.();
      return onUncaught(report);
    },
  };
}

function streamFor(
  runtime: Runtime,
  { transport }: BindableEndpoint,
  { upgrades }: StreamTable,
): ReturnType<Runtime["stream"]> {
  return transport === "tls" || upgrades === true ? runtime.secureStream() : runtime.stream();
}

async function spawnByNode(): Promise<Spawn> {
  return (await import("./node/spawn.ts")).spawn;
}

/** See {@link Adapter.onUncaught}. */
function onUncaught(report: (thrown: unknown) => void): () => void {
  // The second argument of each event is something else.
  const listener = (thrown: unknown): void => report(thrown);
  const events = ["uncaughtException", "unhandledRejection"] as const;
  for (const event of events) process.on(event, listener);
  return () => {
    for (const event of events) process.removeListener(event, listener);
  };
}

/** What has failed is tried again when it is asked for: it may have been for want of descriptors. */
function once<Made>(make: () => Promise<Made>): () => Promise<Made> {
  let made: Promise<Made> | undefined;
  return () =>
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
}

/** With TLS beside what the runtime has by itself. */
function connectWith(runtime: Runtime): Adapter["connect"] {
  return async (endpoint, table, data, timeout, tls) => {
    const attempt = { late: false, giveUp() {} };
    const timer = timeout === undefined ? undefined : setTimeout(giveUp, timeout, attempt);
    try {
      if (endpoint.transport === "tls") {
        const { connectTls } = await import("./tls/connect.ts");
        await connectTls(endpoint as InternetEndpoint, table, data, attempt, tls);
      } else {
        const { connect } = await runtime.connect();
        await connect(endpoint, table, data, attempt);
      }
    } catch (error) {
      throw connectFailure(endpoint, attempt.late ? "ETIMEDOUT" : error);
    } finally {
      clearTimeout(timer);
    }
  };
}

/** See {@link Adapter.dial}. */
const dial: Adapter["dial"] = async (endpoint, table) => {
  if (!("path" in endpoint) && ffiSupport() !== true) {
    const { dialDgram } = await import("./node/dgram.ts");
    return await dialDgram(endpoint, table);
  }
  const module = await import("./posix/dial.ts");
  return await module.dial(endpoint, table);
};
