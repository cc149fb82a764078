/**
 * What a plugin connects to itself: {@link StartContext.connect}. Such a session is served as those
 * are that come to the service; but nobody is refused, nobody waits for a turn, and of the limits
 * only `writeBuffer` counts. Its `open` and `close` are records of level debug.
 */
import { milliseconds, objectWith, TIMER_MAX, wrongType } from "./arguments.ts";
import type { StreamSession } from "./stream/session.ts";
import type { Adapter, NamedEndpoint, StreamTable } from "./contract.ts";
import { Dialed } from "./datagram/dialed.ts";
import type { Endpoint } from "./endpoint.ts";
import { kindOf, parseEndpoint } from "./endpoint.ts";
import { messageOf, PorticoError, toPorticoError } from "./errors.ts";
import { StreamPipeline } from "./stream/pipeline.ts";
import { UNLIMITED } from "./admission/permit.ts";
import type { ServicePlan } from "./plan.ts";
import type { ConnectOptions, Hooks, Session, StartContext } from "./plugin.ts";
import type { ServiceInput } from "./service.ts";
import { Service } from "./service.ts";

/** How long a connect may take when nobody says so, in ms. */
const TIMEOUT = 10_000;

const TRANSPORTS: readonly string[] = ["tcp", "unix", "udp", "unixgram"];

/** What all outgoing sessions of one service have from it. */
export type OutgoingInput = Pick<
  ServiceInput,
  "plan" | "log" | "gather" | "lends" | "nextId" | "keepsDatagrams"
>;

/** The sessions that one service has opened. */
export class Outgoing {
  readonly #input: OutgoingInput;
  readonly #adapter: Pick<Adapter, "connect" | "dial">;
  /** One for each table of hooks; a plugin that makes a table for each connect leaves none behind. */
  readonly #groups: WeakMap<object, HookGroup> = new WeakMap();
  readonly #busy: Set<HookGroup> = new Set();
  #closing = false;

  constructor(input: OutgoingInput, adapter: Pick<Adapter, "connect" | "dial">) {
    this.#input = { ...input, plan: unlimited(input.plan) };
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
    hooks: Hooks<State>,
    options: ConnectOptions<State> = {},
  ): Promise<Session<State>> => {
    const endpoint = placed(readEndpoint(text), this.#input.plan);
    objectWith("options of connect", "an object", options);
    const { state, timeout = TIMEOUT } = options;
    milliseconds("timeout of connect", timeout);
    const group = this.#groupOf(hooks as Hooks<unknown>);
    this.#refuseWhenClosing(text);
    try {
      const session = kindOf(endpoint.transport) === "datagram"
        ? group.dialed.serve(await this.#adapter.dial(endpoint, group.dialed.table), state)
        : await this.#open(group, endpoint, state, timeout);
      this.#note(group);
      this.#refuseWhenClosing(text);
      return session as unknown as Session<State>;
    } catch (error) {
      throw inWords(text, error);
    }
  };

  async #open(
    group: HookGroup,
    endpoint: NamedEndpoint,
    state: unknown,
    limit: number,
  ): Promise<StreamSession> {
    const timeout = limit <= TIMER_MAX ? limit : undefined;
    const request: Request = { state, session: undefined };
    await this.#adapter.connect(endpoint, group.table, request, timeout);
    return request.session!;
  }

  #groupOf(hooks: Hooks<unknown>): HookGroup {
    let group = this.#groups.get(hooks);
    if (group === undefined) {
      checkForm(hooks);
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
  session: StreamSession | undefined;
}

/** The sessions of one table of hooks. */
class HookGroup {
  readonly table: StreamTable;
  readonly dialed: Dialed;
  readonly #streams: StreamPipeline;

  constructor(input: OutgoingInput, hooks: Hooks<unknown>) {
    const service = new Service({ ...input, outgoing: true, hooks: bound(hooks) });
    this.dialed = new Dialed(service);
    this.#streams = new StreamPipeline(service);
    this.table = {
      ...this.#streams.table,
      open: (connection) => {
        const request = connection.data as Request;
        const { state } = request;
        const id = service.nextId();
        request.session = this.#streams.accept(connection, { id, permit: UNLIMITED, state });
      },
    };
  }

  get live(): number {
    return this.#streams.deadlines.count + this.dialed.live;
  }

  /** Resolves when its sessions are over, or `limit` ms have passed. */
  async empty(limit: number): Promise<void> {
    await Promise.all([this.#streams.deadlines.empty(limit), this.dialed.empty(limit)]);
  }

  async drain(limit: number): Promise<void> {
    await this.empty(limit);
    await Promise.all([this.#streams.cut("drain"), this.dialed.cut("drain")]);
  }

  /** Ends what has come too late. */
  close(): void {
    void this.drain(0);
  }
}

/** The hooks that an outgoing session has; each knows the table that it belongs to. */
function bound(hooks: Hooks<unknown>): Hooks<unknown> {
  const { data, end, drain, handle, finish, error } = hooks;
  return {
    ...(data !== undefined && { data: data.bind(hooks) }),
    ...(end !== undefined && { end: end.bind(hooks) }),
    ...(drain !== undefined && { drain: drain.bind(hooks) }),
    ...(handle !== undefined && { handle: handle.bind(hooks) }),
    ...(finish !== undefined && { finish: finish.bind(hooks) }),
    ...(error !== undefined && { error: error.bind(hooks) }),
  };
}

function checkForm(hooks: Hooks<unknown>): void {
  objectWith("hooks of connect", "an object of hooks", hooks);
  const { data, end, drain, handle, finish, error } = hooks;
  for (const [name, hook] of Object.entries({ data, end, drain, handle, finish, error })) {
    if (hook === undefined || typeof hook === "function") continue;
    throw wrongType(`hooks.${name} of connect`, "a function", hook);
  }
  if ((data === undefined) !== (handle === undefined)) return;
  const why = data === undefined ? "neither data nor handle" : "both data and handle";
  throw misuse(`the hooks given to connect have ${why}: one of them is needed`);
}

/** @throws PorticoError USAGE for what nobody can connect to. */
function readEndpoint(text: string): NamedEndpoint {
  if (typeof text !== "string") throw wrongType("endpoint of connect", "text", text);
  let endpoint: Endpoint;
  try {
    endpoint = parseEndpoint(text);
  } catch (error) {
    throw misuse(`cannot connect: ${messageOf(error)}`);
  }
  if (!TRANSPORTS.includes(endpoint.transport)) {
    throw misuse(`cannot connect to ${text}: only to ${TRANSPORTS.join(", ")}`);
  }
  const nobody = "port" in endpoint && (endpoint.port === 0 || endpoint.host === "*");
  if (nobody) throw misuse(`cannot connect to ${text}: a host and a port are needed`);
  return endpoint as NamedEndpoint;
}

/** Relative paths start at the manifest's folder, as those do that a service listens on. */
function placed(endpoint: NamedEndpoint, { folder }: ServicePlan): NamedEndpoint {
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
function inWords(text: string, thrown: unknown): PorticoError {
  const error = toPorticoError(thrown, "ECONNREFUSED");
  const side = error.side === "peer" || error.side === "config" ? "host" : error.side;
  const message = error.message.includes(text)
    ? error.message
    : `cannot connect to ${text}: ${error.message}`;
  return new PorticoError(error.code, message, { cause: error.cause ?? thrown, side });
}

/** Of the limits only `writeBuffer` is about what a plugin opens itself. */
function unlimited(plan: ServicePlan): ServicePlan {
  const { limits } = plan;
  return {
    ...plan,
    limits: { ...limits, idle: Infinity, firstByte: Infinity, lifetime: Infinity },
  };
}
