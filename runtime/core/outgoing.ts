/**
 * What a plugin connects to itself: {@link StartContext.connect}. Such a session is served as those
 * are that come to the service; but nobody is refused, nobody waits for a turn, and of the limits
 * only `writeBuffer` counts. Its `open` and `close` are records of level debug.
 */
import type { StreamSession } from "./stream/session.ts";
import type { Adapter, NamedEndpoint, StreamTable } from "./contract.ts";
import { Dialed } from "./datagram/dialed.ts";
import type { Endpoint } from "./endpoint.ts";
import { kindOf, parseEndpoint } from "./endpoint.ts";
import { messageOf, PorticoError, toPorticoError } from "./errors.ts";
import { Pipeline } from "./stream/pipeline.ts";
import type { ServicePlan } from "./plan.ts";
import type { ConnectOptions, Hooks, Session, StartContext } from "./plugin.ts";
import type { ServiceInput } from "./service.ts";
import { Service } from "./service.ts";

/** How long a connect may take when nobody says so, in ms. */
const TIMEOUT = 10_000;

const TRANSPORTS: readonly string[] = ["tcp", "unix", "udp", "unixgram"];

/** What all outgoing sessions of one service have from it. */
export type OutgoingInput = Pick<ServiceInput, "plan" | "log" | "gather" | "lends" | "nextId">;

/** The sessions that one service has opened. */
export class Outgoing {
  readonly #input: OutgoingInput;
  readonly #adapter: Pick<Adapter, "connect" | "dial">;
  /** One for each table of hooks; a plugin that makes a table for each connect leaves none behind. */
  readonly #lines: WeakMap<object, Line> = new WeakMap();
  readonly #busy: Set<Line> = new Set();
  #closing = false;

  constructor(input: OutgoingInput, adapter: Pick<Adapter, "connect" | "dial">) {
    this.#input = { ...input, plan: unlimited(input.plan) };
    this.#adapter = adapter;
  }

  /** Sessions that are open. */
  get live(): number {
    let live = 0;
    for (const line of this.#busy) live += line.live;
    return live;
  }

  /** See {@link StartContext.connect}. It may be taken out of its object. */
  readonly connect: StartContext<unknown>["connect"] = async <State>(
    text: string,
    hooks: Hooks<State>,
    { state, timeout = TIMEOUT }: ConnectOptions<State> = {},
  ): Promise<Session<State>> => {
    const endpoint = placed(readEndpoint(text), this.#input.plan);
    const line = this.#lineOf(hooks as Hooks<unknown>);
    this.#refuseWhenClosing(text);
    try {
      const session = kindOf(endpoint.transport) === "datagram"
        ? line.dialed.serve(await this.#adapter.dial(endpoint, line.dialed.table), state)
        : await this.#open(line, endpoint, state, timeout);
      this.#note(line);
      this.#refuseWhenClosing(text);
      return session as unknown as Session<State>;
    } catch (error) {
      throw inWords(text, error);
    }
  };

  async #open(
    line: Line,
    endpoint: NamedEndpoint,
    state: unknown,
    timeout: number,
  ): Promise<StreamSession> {
    const request: Request = { state, session: undefined };
    await this.#adapter.connect(endpoint, line.table, request, timeout);
    return request.session!;
  }

  #lineOf(hooks: Hooks<unknown>): Line {
    let line = this.#lines.get(hooks);
    if (line === undefined) {
      checkForm(hooks);
      line = new Line(this.#input, hooks);
      this.#lines.set(hooks, line);
    }
    return line;
  }

  /** Keeps a line in sight while it has sessions. */
  #note(line: Line): void {
    if (this.#closing) line.close();
    if (this.#busy.has(line)) return;
    this.#busy.add(line);
    const look = (): void => {
      if (line.live > 0) void line.empty().then(look);
      else this.#busy.delete(line);
    };
    look();
  }

  #refuseWhenClosing(text: string): void {
    if (!this.#closing) return;
    throw new PorticoError("SESSION_CLOSED", `cannot connect to ${text}: the service has stopped`);
  }

  /**
   * Lets the sessions end: they have `limit` ms, then their `signal` aborts with reason `drain` and
   * they are closed, with what was written sent. Nothing is opened from now on. To be called when
   * those who came to the service are served, who may need it. Never rejects.
   */
  async drain(limit: number): Promise<void> {
    this.#closing = true;
    await Promise.all([...this.#busy].map((line) => line.drain(limit)));
  }
}

/** What a connect hands through the adapter to the open of its stream. */
interface Request {
  readonly state: unknown;
  session: StreamSession | undefined;
}

/** The sessions of one table of hooks. */
class Line {
  readonly table: StreamTable;
  readonly dialed: Dialed;
  readonly #streams: Pipeline;
  #opening: Request | undefined = undefined;

  constructor(input: OutgoingInput, hooks: Hooks<unknown>) {
    const service = new Service({
      ...input,
      outgoing: true,
      hooks: {
        setup: () => this.#opening?.state,
        ...bound(hooks),
      },
    });
    this.dialed = new Dialed(service);
    this.#streams = new Pipeline(service);
    const { table } = this.#streams;
    this.table = {
      ...table,
      open: (connection) => {
        this.#opening = connection.data as Request;
        connection.data = undefined;
        table.open(connection);
        this.#opening.session = connection.data as unknown as StreamSession;
        this.#opening = undefined;
      },
    };
  }

  get live(): number {
    return this.#streams.deadlines.count + this.dialed.live;
  }

  /** Resolves when its sessions are over, or somebody has lost patience. */
  async empty(): Promise<void> {
    await Promise.all([this.#streams.deadlines.empty(Infinity), this.dialed.empty(Infinity)]);
  }

  async drain(limit: number): Promise<void> {
    await Promise.all([this.#streams.drain(limit), this.dialed.drain(limit)]);
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

function checkForm({ data, handle }: Hooks<unknown>): void {
  if ((data === undefined) !== (handle === undefined)) return;
  const why = data === undefined ? "neither data nor handle" : "both data and handle";
  throw misuse(`the hooks given to connect have ${why}: one of them is needed`);
}

/** @throws PorticoError USAGE for what nobody can connect to. */
function readEndpoint(text: string): NamedEndpoint {
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

/** The plan of a service that limits nothing but what waits to be sent. */
function unlimited(plan: ServicePlan): ServicePlan {
  return {
    ...plan,
    access: { allow: [], deny: [] },
    concurrency: { ...plan.concurrency, max: Infinity },
    limits: {
      ...plan.limits,
      sessions: Infinity,
      perSource: Infinity,
      rate: { count: Infinity, per: 1000 },
      idle: Infinity,
      firstByte: Infinity,
      lifetime: Infinity,
      hold: Infinity,
    },
  };
}
