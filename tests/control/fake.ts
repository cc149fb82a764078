/** Control sockets of a server that only writes down what it is asked. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { after, type TestContext } from "node:test";
import type { Control } from "../../runtime/control/control.ts";
import { type ControlSocket, openControl } from "../../runtime/control/socket.ts";
import { newStatistics } from "../../runtime/core/statistics.ts";
import type { PolicyControl } from "../../runtime/control/policy.ts";
import type { StoredBan } from "../../runtime/services/bans/stored.ts";
import type { ServerStatus, ServiceStatus } from "../../runtime/services/status.ts";
import { adapter } from "../support/adapter.ts";
import { folder } from "../support/folder.ts";
import { within } from "../support/until.ts";

/** Sockets that a failed test has left open. */
export const openSockets: Set<ControlSocket> = new Set();
after(() => Promise.all([...openSockets].map((socket) => socket.close())));

export const ECHO: ServiceStatus = {
  service: "echo",
  state: "running",
  strategy: "processes",
  endpoints: ["tcp://127.0.0.1:7", "unix:/run/echo"],
  workers: [{ pid: 4242, state: "ready", live: 2, served: 9, uptime: 3700 }],
  live: 2,
  held: 1,
  served: 9,
  refused: 3,
  errors: 4,
  restarts: 1,
  bytesIn: 1536,
  bytesOut: 0,
  datagramsIn: 0,
  datagramsOut: 0,
  datagramsLost: 0,
  tally: newStatistics(),
};
export const TIME: ServiceStatus = {
  ...ECHO,
  service: "time",
  strategy: "async",
  endpoints: [],
  workers: [],
};
export const STATUS: ServerStatus = {
  pid: process.pid,
  version: "1.2.3",
  runtime: "node 1",
  manifest: "/m/portico.json",
  uptime: 90_061,
  state: "running",
  services: [ECHO, TIME],
  sinks: [{ name: "audit", type: "file", dropped: 7 }, { name: "json", type: "json", dropped: 0 }],
  bans: 0,
};

const BAN: StoredBan = {
  source: "192.0.2.7",
  since: "2026-11-28T12:00:00.000Z",
  until: "2026-11-28T13:00:00.000Z",
  for: 3_600_000,
  cause: "5 refusals in 1m: rule verify",
  service: "echo",
  refused: 3,
};

/** Bans and sources that there are not. */
function fakePolicy(asked: unknown[]): PolicyControl {
  return {
    bans: () => [BAN, { ...BAN, source: "uid:7", cause: "operator" }],
    ban(source, ms, cause) {
      asked.push(["ban", source, ms, cause]);
      return { ...BAN, source, cause };
    },
    unban(source) {
      asked.push(["unban", source]);
      return source === undefined ? [BAN.source, "uid:7"] : [source];
    },
    top: () =>
      Promise.resolve([
        { source: "192.0.2.7", sessions: 2, bytesIn: 2048, bytesOut: 5, arrived: 9, refused: 1 },
        { source: "192.0.2.8", sessions: 3, bytesIn: 1, bytesOut: 0, arrived: 3, refused: 0 },
      ]),
    explain(service, remote) {
      asked.push(["explain", service, remote.host]);
      return { limits: [] };
    },
  };
}

/** A server that writes down what it is asked. */
export function fakeControl(verbs: Partial<Control> = {}): Control & { readonly asked: unknown[] } {
  const asked: unknown[] = [];
  const all = (verb: string) => (service?: string): Promise<readonly string[]> => {
    asked.push([verb, service]);
    return Promise.resolve(service === undefined ? ["echo", "time"] : [service]);
  };
  return {
    asked,
    policy: fakePolicy(asked),
    status: () => STATUS,
    reload: () =>
      Promise.resolve({ added: ["new"], changed: ["echo"], removed: [], unchanged: ["time"] }),
    suspend: all("suspend"),
    resume: all("resume"),
    drain: all("drain"),
    stop: all("stop"),
    upgrade(to) {
      asked.push(["upgrade", to]);
      return Promise.resolve(77);
    },
    restart(service) {
      asked.push(["restart", service]);
      return Promise.resolve([service]);
    },
    logs: () => () => {},
    ...verbs,
  };
}

export async function serveControl(
  t: Pick<TestContext, "after">,
  control: Control,
  path: string = join(folder(t, {}), "c.ctl"),
): Promise<{ path: string; socket: ControlSocket; close(): Promise<void> }> {
  const socket = await openControl(control, path, adapter);
  openSockets.add(socket);
  return {
    path,
    socket,
    async close() {
      await socket.close();
      openSockets.delete(socket);
    },
  };
}

/** One end of a connection that speaks in lines. */
export async function dialLines(path: string): Promise<{
  socket: Socket;
  say(line: unknown): void;
  /** The next answer; undefined at the end. */
  hear(): Promise<unknown>;
}> {
  const socket = connect(path);
  await within("a connection", once(socket, "connect"));
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  return {
    socket,
    say: (line) => void socket.write(`${typeof line === "string" ? line : JSON.stringify(line)}\n`),
    async hear() {
      const { value, done } = await within("an answer", lines.next());
      return done ? undefined : JSON.parse(value);
    },
  };
}

/** Has a folder stand for the one of this user. */
export function withRuntimeFolder<Value>(path: string, body: () => Value): Value {
  const before = process.env["XDG_RUNTIME_DIR"];
  process.env["XDG_RUNTIME_DIR"] = path;
  try {
    return body();
  } finally {
    if (before === undefined) delete process.env["XDG_RUNTIME_DIR"];
    else process.env["XDG_RUNTIME_DIR"] = before;
  }
}
