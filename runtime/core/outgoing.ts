/**
 * What a plugin connects to itself: {@link StartContext.connect}. Such a session is served as those
 * are that come to the service; but nobody is refused, nobody waits for a turn, and of the limits
 * only `writeBuffer` counts. Its `open` and `close` are records of level debug.
 */
import { objectWith, wrongType } from "./arguments.ts";
import type { StreamSession } from "./stream/session.ts";
import type { Adapter, NamedEndpoint, StreamTable } from "./contract.ts";
import { Dialed, type DialedSession } from "./datagram/dialed.ts";
import type { Endpoint, TlsClient } from "./endpoint.ts";
import { expandPorts, kindOf, parseEndpoint } from "./endpoint.ts";
import { messageOf, PorticoError, toPorticoError } from "./errors.ts";
import { StreamPipeline } from "./stream/pipeline.ts";
import { UNLIMITED } from "./admission/permit.ts";
import { Handshakes } from "./handshake/handshakes.ts";
import { startOpened } from "./handshake/start.ts";
import type { ServicePlan } from "./plan.ts";
import type { ConnectOptions, Hooks, Session, StartContext } from "./plugin.ts";
import type { ServiceInput } from "./service.ts";
import { Service } from "./service.ts";
import { milliseconds } from "./units.ts";

/** How long a connect may take when nobody says so, in ms. */
const TIMEOUT = 10_000;

const TRANSPORTS: readonly string[] = ["tcp", "tls", "unix", "udp", "unixgram"];

/** Of a session in pull form, which whoever has connected reads. */
export const HELD: Hooks<never> = {};

/** What all outgoing sessions of one service have from it. */
export type OutgoingInput = Pick<
  ServiceInput,
  | "plan"
  | "log"
  | "gather"
  | "lends"
  | "nextId"
  | "keepsDatagrams"
  | "keepsChunks"
  | "clock"
  | "handshakes"
>;

type OutgoingAdapter = Pick<Adapter, "connect" | "dial" | "defer" | "tls">;

/** The sessions that one service has opened. */
export class Outgoing {
  readonly #input: OutgoingInput;
  readonly #adapter: OutgoingAdapter;
  /** One for each table of hooks; a plugin that makes a table for each connect leaves none behind. */
  readonly #groups: WeakMap<object, HookGroup> = new WeakMap();
  readonly #busy: Set<HookGroup> = new Set();
  #closing = false;

  constructor(input: OutgoingInput, adapter: OutgoingAdapter) {
    // What one begins, it needs.
    const handshakes = new Handshakes(Infinity, startOpened(adapter), input.clock);
    this.#input = { ...input, plan: unlimited(input.plan), handshakes };
    this.#adapter = adapter;
  }

  /** Sessions that are open. */
  get live(): number {
    let live = 0;
    for (const group of this.#busy) live += group.live;
    return live;
  }

  /** See {@link StartContext.connect}. It may be taken out of its object. */
  readonly connect: StartContext<unknown>["connect"] = async <State>(
    text: string,
    hooks: Hooks<State> = HELD,
    options: ConnectOptions<State> = {},
  ): Promise<Session<State>> => {
    const endpoint = placed(readEndpoint(text), this.#input.plan);
    objectWith("options of connect", "an object", options);
    const { state, timeout = TIMEOUT, tls } = options;
    if (tls !== undefined) objectWith("tls of connect", "an object", tls);
    const limit = milliseconds(timeout, "timeout of connect");
    const group = this.#groupOf(hooks as Hooks<unknown>);
    this.#refuseWhenClosing(text);
    try {
      const session = kindOf(endpoint.transport) === "datagram"
        ? await this.#dial(group, endpoint, state)
        : await this.#open(group, endpoint, state, limit, tls);
      this.#note(group);
      this.#refuseWhenClosing(text);
      return session as unknown as Session<State>;
    } catch (error) {
      throw inWords(`cannot connect to ${text}`, text, error);
    }
  };

  async #open(
    group: HookGroup,
    endpoint: NamedEndpoint,
    state: unknown,
    limit: number,
    tls: TlsClient | undefined,
  ): Promise<StreamSession> {
    const timeout = limit === Infinity ? undefined : limit;
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const request: Request = { state, held, session: undefined };
    try {
      await this.#adapter.connect(endpoint, group.table, request, timeout, tls);
    } catch (error) {
      // Its time was up in the moment in which it was open.
      request.session?.abort();
      throw error;
    } finally {
      this.#adapter.defer(release);
    }
    const session = request.session!;
    if ("host" in endpoint) session.serverName = endpoint.host;
    return session;
  }

  async #dial(group: HookGroup, endpoint: NamedEndpoint, state: unknown): Promise<DialedSession> {
    const { dialed } = group;
    const session = dialed.open(await this.#adapter.dial(endpoint, dialed.table), state);
    this.#adapter.defer(() => dialed.serve(session));
    return session;
  }

  #groupOf(hooks: Hooks<unknown>): HookGroup {
    let group = this.#groups.get(hooks);
    if (group === undefined) {
      checkForm(hooks, "connect");
      group = new HookGroup(this.#input, hooks);
      this.#groups.set(hooks, group);
    }
    return group;
  }

  /** Keeps a group in sight while it has sessions. */
  #note(group: HookGroup): void {
    if (this.#closing) group.close();
    if (this.#busy.has(group)) return;
    this.#busy.add(group);
    const look = (): void => {
      if (group.live > 0) void group.empty(Infinity).then(look);
      else this.#busy.delete(group);
    };
    look();
  }

  #refuseWhenClosing(text: string): void {
    if (!this.#closing) return;
    throw new PorticoError("SESSION_CLOSED", `cannot connect to ${text}: the service has stopped`);
  }

  /**
   * Lets the sessions end: they have `limit` ms, then they are cut. Nothing is opened from now on. To
   * be called when those who came to the service are served, who may need it. Never rejects.
   */
  async drain(limit: number): Promise<void> {
    this.#closing = true;
    await Promise.all([...this.#busy].map((group) => group.drain(limit)));
  }
}

/** What a connect hands through the adapter to the open of its stream. */
interface Request {
  readonly state: unknown;
  /** Resolves in a turn of its own, in which whoever called connect has gone on. */
  readonly held: Promise<void>;
  session: StreamSession | undefined;
}

/** The sessions of one table of hooks. */
class HookGroup {
  readonly table: StreamTable;
  readonly dialed: Dialed;
  readonly #streams: StreamPipeline;

  constructor(input: OutgoingInput, hooks: Hooks<unknown>) {
    const service = new Service({ ...input, outgoing: true, hooks: bindHooks(hooks) });
    this.dialed = new Dialed(service);
    this.#streams = new StreamPipeline(service);
    this.table = {
      ...this.#streams.table,
      open: (connection) => {
        const request = connection.data as Request;
        const { state, held } = request;
        const id = service.nextId();
        request.session = this.#streams.accept(connection, { id, permit: UNLIMITED, state, held });
      },
    };
  }

  get live(): number {
    return this.#streams.deadlines.value + this.dialed.live;
  }

  /** Resolves when its sessions are over, or `limit` ms have passed. */
  async empty(limit: number): Promise<void> {
    await Promise.all([this.#streams.deadlines.empty(limit), this.dialed.empty(limit)]);
  }

  async drain(limit: number): Promise<void> {
    this.#streams.retire(true);
    await this.empty(limit);
    await Promise.all([this.#streams.cut("drain"), this.dialed.cut("drain")]);
  }

  /** Ends what has come too late. */
  close(): void {
    void this.drain(0);
  }
}

/** The hooks that a session has which the plugin has opened, or listened for. */
const HOOKS = [
  "verify",
  "setup",
  "data",
  "end",
  "drain",
  "datagram",
  "handle",
  "retire",
  "finish",
  "error",
] as const;

/** Those of a table; each knows the table that it belongs to. */
export function bindHooks(hooks: Hooks<unknown>): Hooks<unknown> {
  const found = HOOKS.flatMap((name) => {
    const hook = hooks[name] as ((...given: never[]) => unknown) | undefined;
    return hook === undefined ? [] : [[name, hook.bind(hooks)] as const];
  });
  return Object.fromEntries(found);
}

/** @throws TypeError for what are no hooks, PorticoError USAGE for hooks with no form, or two. */
export function checkForm(hooks: Hooks<unknown>, call: string): void {
  if (hooks === HELD) return;
  objectWith(`hooks of ${call}`, "an object of hooks", hooks);
  for (const name of HOOKS) {
    const hook: unknown = hooks[name];
    if (hook === undefined || typeof hook === "function") continue;
    throw wrongType(`hooks.${name} of ${call}`, "a function", hook);
  }
  const { data, handle, datagram } = hooks;
  if (data !== undefined && handle !== undefined) {
    throw misuse(`the hooks given to ${call} have both data and handle: one of them is needed`);
  }
  if (data !== undefined || handle !== undefined || datagram !== undefined) return;
  throw misuse(
    `the hooks given to ${call} have neither data nor handle: one of them is needed, or no hooks at all`,
  );
}

/** @throws PorticoError USAGE for what nobody can connect to. */
function readEndpoint(text: string): NamedEndpoint {
  const [endpoint, other] = readEndpoints(text, "connect", TRANSPORTS);
  const nobody = "port" in endpoint! && (endpoint.port === 0 || endpoint.host === "*");
  if (nobody || other !== undefined) {
    throw misuse(`cannot connect to ${text}: a host and a port are needed`);
  }
  return endpoint!;
}

/** One for each port of a range, at least one. @throws PorticoError USAGE. */
export function readEndpoints(
  text: string,
  call: string,
  transports: readonly string[],
): NamedEndpoint[] {
  if (typeof text !== "string") throw wrongType(`endpoint of ${call}`, "text", text);
  let endpoints: Endpoint[];
  try {
    endpoints = expandPorts(text).map((each) => parseEndpoint(each));
  } catch (error) {
    throw misuse(`cannot ${call}: ${messageOf(error)}`);
  }
  if (transports.includes(endpoints[0]!.transport)) return endpoints as NamedEndpoint[];
  throw misuse(`cannot ${call} to ${text}: only to ${transports.join(", ")}`);
}

/** Relative paths start at the manifest's folder, as those do that a service listens on. */
export function placed(endpoint: NamedEndpoint, { folder }: ServicePlan): NamedEndpoint {
  if (!("path" in endpoint) || /^[/@]/.test(endpoint.path)) return endpoint;
  return { ...endpoint, path: `${folder}/${endpoint.path}` };
}

/** The plugin has called connect with what can never be right. */
function misuse(text: string): PorticoError {
  return new PorticoError("USAGE", text, { side: "plugin" });
}

/**
 * Says where it was to go. It is nothing that the peers of the service have done: where nobody looks
 * after it, the record is a warning.
 */
export function inWords(what: string, text: string, thrown: unknown): PorticoError {
  const error = toPorticoError(thrown, "ECONNREFUSED");
  const side = error.side === "peer" || error.side === "config" ? "host" : error.side;
  const message = error.message.includes(text) ? error.message : `${what}: ${error.message}`;
  return new PorticoError(error.code, message, { cause: error.cause ?? thrown, side });
}

const UNLIMITED_TIME = {
  idle: Infinity,
  firstByte: Infinity,
  lifetime: Infinity,
  handler: Infinity,
  progress: { bytes: 0, per: Infinity },
};

/** Of the limits only `writeBuffer` is about what a plugin opens itself. */
function unlimited(plan: ServicePlan): ServicePlan {
  const { bytesPerSecond: _rate, bytes: _bytes, ...limits } = plan.limits;
  return {
    ...plan,
    limits: { ...limits, ...UNLIMITED_TIME },
  };
}
