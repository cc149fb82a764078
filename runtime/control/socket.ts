/** The control socket of a server: a service of Portico like any other, whose plugin is `Control`. */
import type { Adapter, Listener, StreamTable } from "../core/contract.ts";
import type { Inherited } from "../core/descriptors.ts";
import { Admission } from "../core/admission/admission.ts";
import { LAST_WORDS } from "../core/calls.ts";
import type { Address } from "../core/endpoint.ts";
import { PorticoError } from "../core/errors.ts";
import { Gather } from "../core/stream/gather.ts";
import { Log } from "../core/log.ts";
import { StreamPipeline } from "../core/stream/pipeline.ts";
import { WEIGHT_MAX } from "../core/admission/candidate.ts";
import { overflowOf } from "../core/admission/overflow.ts";
import { PREFIXES } from "../core/access/source.ts";
import { EVERYBODY, type ServicePlan } from "../core/plan.ts";
import type { Hooks, Session } from "../core/plugin.ts";
import { Service } from "../core/service.ts";
import { ask } from "./client.ts";
import type { ServerStatus } from "../services/status.ts";
import type { Control } from "./control.ts";
import { type Asker, LINE_MAX, refusal, respond } from "./request.ts";

/** A control socket that is open. */
export interface ControlSocket {
  readonly address: Address;
  /** Another descriptor for the listener, for a successor. The caller's to close. @throws PorticoError NOT_SUPPORTED. */
  duplicate(): Promise<number>;
  /** Accepts no more: a successor has a duplicate. What was asked before is answered until {@link close}. */
  retire(): Promise<void>;
  /**
   * Stops accepting, gives requests that are being answered a second to come to their end,
   * closes the rest. May be called twice.
   *
   * @param keep leaves the socket file: a successor listens on it.
   */
  close(keep?: boolean): Promise<void>;
}

/** How long another server may take to say who it is, in ms. */
const INTRODUCTION = 2000;

/**
 * Opens a control socket, which only its user may connect to (mode 0600).
 *
 * @param at its path, whose folder is there; or the listener of a predecessor.
 * @throws PorticoError EADDRINUSE that names the server which has it already; NOT_SUPPORTED for a
 * path in the abstract namespace, where there are no permissions; what `listen` throws.
 */
export async function openControl(
  control: Control,
  at: string | Inherited,
  adapter: Adapter,
): Promise<ControlSocket> {
  const closing = Promise.withResolvers<undefined>();
  const admission = new Admission(PLAN, (later) => adapter.defer(later));
  const service = makeService(makeHooks(control, closing.promise), adapter);
  const pipeline = new StreamPipeline(service, admission);
  // When a crowd has taken all descriptors, there has to be a way in still.
  const table: StreamTable = { ...pipeline.table, reserved: true };
  const listener = typeof at === "string"
    ? await listen(control, at, adapter, table)
    : await adapter.listen(at, table, {});
  return {
    address: listener.address,
    duplicate: () => listener.duplicate(),
    retire: () => listener.close(true),
    async close(keep = false) {
      await listener.close(keep);
      closing.resolve(undefined);
      await pipeline.deadlines.empty(LAST_WORDS);
      await pipeline.cut("drain");
    },
  };
}

async function listen(
  control: Control,
  path: string,
  adapter: Adapter,
  table: StreamTable,
): Promise<Listener> {
  if (path.startsWith("@")) {
    throw new PorticoError(
      "NOT_SUPPORTED",
      `the control socket unix:${path} would be open to every user: the abstract namespace has no permissions; name a path`,
    );
  }
  try {
    return await adapter.listen({ transport: "unix", path }, table, { mode: 0o600 });
  } catch (error) {
    if (!(error instanceof PorticoError) || error.code !== "EADDRINUSE") throw error;
    throw await conflict(control, path, adapter) ?? error;
  }
}

/** Says which server has the socket; undefined when that is none. */
async function conflict(
  control: Control,
  path: string,
  adapter: Adapter,
): Promise<PorticoError | undefined> {
  let other: ServerStatus;
  try {
    const asking = { patience: INTRODUCTION };
    other = await ask(adapter, path, { command: "status" }, asking) as ServerStatus;
  } catch {
    return undefined;
  }
  const same = other.manifest === control.status().manifest;
  return new PorticoError(
    "EADDRINUSE",
    `cannot open the control socket unix:${path}: another server with ${
      same ? "this manifest" : `the manifest ${other.manifest}`
    } is running (pid ${other.pid}); "portico ctl stop --socket ${path}" ends it, "portico ctl reload" and "upgrade" change it as it runs; "control" in the manifest names another place`,
  );
}

/** Pull form: the requests of one connection are answered in their order. */
function makeHooks(control: Control, closing: Promise<undefined>): Hooks<unknown> {
  async function serve(session: Session<unknown>): Promise<void> {
    const lines = session.lines(LINE_MAX);
    let next = lines.next();
    for (;;) {
      // It is still waited for when the socket closes, and nobody is there to hear how it ends.
      next.catch(() => {});
      const line = await Promise.race([next, closing]);
      if (line === undefined || line.done) return;
      next = lines.next();
      const over = Promise.race([next.catch(() => {}), closing]);
      const asker: Asker = { send: (text) => session.send(text), over: () => over };
      await session.send(`${JSON.stringify(await respond(control, line.value, asker))}\n`);
    }
  }
  return {
    async handle(session) {
      try {
        await serve(session);
      } catch (error) {
        // A line that is too long, after which there is no telling where the next one begins.
        session.write(`${JSON.stringify(refusal(error))}\n`);
      }
    },
  };
}

/** Its sessions are numbered apart, and leave no records: the supervisor writes down what it does. */
function makeService(hooks: Hooks<unknown>, adapter: Adapter): Service {
  let sessions = 0;
  return new Service({
    plan: PLAN,
    hooks,
    log: new Log([], () => {}),
    gather: new Gather(adapter),
    lends: adapter.features.lends,
    nextId: () => ++sessions,
  });
}

const PLAN: ServicePlan = {
  name: "control",
  plugin: { specifier: "control", url: import.meta.url },
  admin: false,
  listen: [],
  concurrency: { strategy: "async", max: Infinity, workers: 1 },
  log: [],
  options: {},
  limits: {
    sessions: 64,
    perSource: Infinity,
    source: PREFIXES,
    rate: { count: Infinity, per: 1000 },
    // A `drain` may take hours. Whoever asks nothing at all is not waited for.
    idle: Infinity,
    firstByte: 10_000,
    firstByteSaid: true,
    progress: { bytes: 0, per: Infinity },
    lifetime: Infinity,
    handler: Infinity,
    handshake: Infinity,
    handshakes: Infinity,
    hold: Infinity,
    writeBuffer: 16 * 1024 * 1024,
    waiting: { sessions: Infinity, bytes: WEIGHT_MAX },
    overflow: overflowOf("refuse"),
    rest: 0,
    drain: LAST_WORDS,
    start: Infinity,
    stall: Infinity,
  },
  access: EVERYBODY,
  processes: { env: {} },
  folder: ".",
};
