/**
 * What a plugin listens on at run time: {@link StartContext.listen}. Who comes there is a session of the
 * service as any other, but for its turn: it belongs to one that has it.
 */
import type { Refusal } from "./admission/candidate.ts";
import type { Permit } from "./admission/permit.ts";
import type { Adapter, Listener, NamedEndpoint, StreamTable } from "./contract.ts";
import type { Timer } from "./clock.ts";
import { objectWith, wrongType } from "./arguments.ts";
import { Address } from "./endpoint.ts";
import { codeOf, PorticoError } from "./errors.ts";
import { bindHooks, checkForm, HELD, inWords, placed, readEndpoints } from "./outgoing.ts";
import type { Hooks, Listening, ListenOptions, Session, StartContext } from "./plugin.ts";
import { Service, type ServiceInput } from "./service.ts";
import type { Metering } from "./metering/mod.ts";
import { StreamPipeline } from "./stream/pipeline.ts";
import type { StreamSession } from "./stream/session.ts";
import { milliseconds } from "./units.ts";

const STREAMS: readonly string[] = ["tcp", "unix"];

/** Asks for a place for who has come: where the sockets of the service are, or there by message. */
export type Join = (session: StreamSession) => Permit | Refusal;

/** What all that comes to the run-time listeners of one service has from it. */
export type RunTimeInput = Omit<ServiceInput, "hooks" | "outgoing"> & {
  readonly join: Join;
  /** What keeps the limits of bytes, where there are any. */
  readonly metering?: Metering | undefined;
};

/** The run-time listeners of one service instance, and who has come to them. */
export class RunTimeListeners {
  readonly #input: RunTimeInput;
  readonly #adapter: Pick<Adapter, "listen">;
  readonly #open: Set<RunTimeListener> = new Set();
  readonly #streams: Set<StreamPipeline> = new Set();
  #retiring = false;
  #closed = false;
  /** Where the search in a range begins: a port that was just closed is not the next one. */
  #turn = 0;

  constructor(input: RunTimeInput, adapter: Pick<Adapter, "listen">) {
    this.#input = input;
    this.#adapter = adapter;
  }

  /** See {@link StartContext.listen}. It may be taken out of its object. */
  readonly listen: StartContext<unknown>["listen"] = async <State>(
    text: string,
    hooks: Hooks<State> = HELD,
    options: ListenOptions = {},
  ): Promise<Listening<State>> => {
    const endpoints = readEndpoints(text, "listen", STREAMS).map((each) =>
      placed(each, this.#input.plan)
    );
    objectWith("options of listen", "an object", options);
    const { from, timeout = Infinity } = options;
    if (from !== undefined && typeof from !== "string" && !(from instanceof Address)) {
      throw wrongType("from of listen", "an Address, or its host as text", from);
    }
    const limit = milliseconds(timeout, "timeout of listen");
    checkForm(hooks as Hooks<unknown>, "listen");
    const first = this.#turn++ % endpoints.length;
    const order = [...endpoints.slice(first), ...endpoints.slice(0, first)];
    const made = new RunTimeListener(text, options, this.#input.join, hooks === HELD);
    this.#serve(made, hooks as Hooks<unknown>);
    try {
      this.#refuseWhenClosed(text);
      await made.open(this.#adapter, order);
      this.#refuseWhenClosed(text);
    } catch (error) {
      this.#streams.delete(made.streams);
      await made.close();
      throw inWords(`cannot listen on ${text}`, text, error);
    }
    this.#open.add(made);
    made.limit(limit);
    void made.closed.then(() => this.#forget(made));
    return made as unknown as Listening<State>;
  };

  #serve(made: RunTimeListener, hooks: Hooks<unknown>): void {
    const { join: _, metering, ...input } = this.#input;
    // Mostly it is the server that speaks, as FTP does when it sends a file.
    const limits = { ...input.plan.limits, firstByte: Infinity };
    const plan = { ...input.plan, limits };
    const service = new Service({ ...input, plan, hooks: bindHooks(hooks) });
    made.streams = new StreamPipeline(service, made, (session) => made.serves(session));
    made.table = metering?.table(made.streams.table) ?? made.streams.table;
    made.streams.retire(this.#retiring);
    this.#streams.add(made.streams);
  }

  /** Its sessions are counted until the last one is over. */
  async #forget(made: RunTimeListener): Promise<void> {
    this.#open.delete(made);
    const { deadlines, service } = made.streams;
    await deadlines.empty(Infinity);
    service.totals.meters.delete(deadlines);
    this.#streams.delete(made.streams);
  }

  #refuseWhenClosed(text: string): void {
    if (!this.#closed) return;
    throw new PorticoError("SESSION_CLOSED", `cannot listen on ${text}: the service has stopped`);
  }

  /** See {@link StreamPipeline.retire}. */
  retire(on: boolean): void {
    this.#retiring = on;
    for (const streams of this.#streams) streams.retire(on);
  }

  /** Ends who is left; nobody else comes. */
  async cut(): Promise<void> {
    await Promise.all([...this.#open].map((made) => made.close()));
    await Promise.all([...this.#streams].map((streams) => streams.cut("drain")));
  }

  /** The service ends: nothing is opened any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.cut();
  }
}

class RunTimeListener implements Listening<unknown> {
  streams!: StreamPipeline;
  table!: StreamTable;
  readonly accepted: Promise<Session<unknown>>;
  /** Resolves when nobody can come any more. */
  readonly closed: Promise<void>;
  readonly #text: string;
  readonly #once: boolean;
  readonly #from: string | undefined;
  readonly #first = Promise.withResolvers<Session<unknown>>();
  readonly #over = Promise.withResolvers<void>();
  readonly #join: Join;
  /** Whoever has called serves who comes: there are no hooks. */
  readonly #held: boolean;
  /** What {@link accepted} has said: who has come, or that nobody has. */
  #told = false;
  #untold = false;
  /** Who has come last and was let in. */
  #guest: StreamSession | undefined = undefined;
  #listener: Listener | undefined = undefined;
  #timer: Timer | undefined = undefined;
  #closing: Promise<void> | undefined = undefined;

  constructor(text: string, { once = false, from }: ListenOptions, join: Join, held: boolean) {
    this.#text = text;
    this.#held = held;
    this.#once = once;
    this.#from = from instanceof Address ? from.host : from;
    this.#join = join;
    this.accepted = this.#first.promise;
    // Who does not wait for it need not know that nobody has come.
    this.accepted.catch(() => {});
    this.closed = this.#over.promise;
  }

  get address(): Address {
    return this.#listener!.address;
  }

  /** Listens on the first endpoint that is free. */
  async open(adapter: Pick<Adapter, "listen">, endpoints: readonly NamedEndpoint[]): Promise<void> {
    for (const [index, endpoint] of endpoints.entries()) {
      try {
        this.#listener = await adapter.listen(endpoint, this.table, {});
        return;
      } catch (error) {
        if (codeOf(error) !== "EADDRINUSE" || index === endpoints.length - 1) throw error;
      }
    }
  }

  /** For the pipeline: as {@link Admission.admit}. */
  admit(session: StreamSession): Permit | Refusal {
    const { host } = session.remote;
    if (this.#from !== undefined && host !== this.#from) return { rule: "from" };
    if (this.#once && this.#guest?.over === false) return { rule: "once" };
    const answer = this.#join(session);
    if ("granted" in answer) this.#guest = session;
    return answer;
  }

  /** One is served. */
  serves(session: StreamSession): void {
    this.streams.service.clock.clear(this.#timer);
    // It was being asked about when nobody waited for it any more: who would end it?
    if (this.#untold && this.#held) return session.abort();
    this.#told = true;
    this.#first.resolve(session);
    if (this.#once) void this.close();
  }

  /** It is closed when nobody has come within `ms`. */
  limit(ms: number): void {
    if (ms === Infinity) return;
    this.#timer = this.streams.service.clock.setTimeout(() => {
      const text = `nobody has come to ${this.#text} within ${ms} ms`;
      this.#closing ??= this.#close(new PorticoError("ETIMEDOUT", text));
    }, ms);
  }

  close(): Promise<void> {
    const why = new PorticoError("SESSION_CLOSED", `${this.#text} is closed`);
    return this.#closing ??= this.#close(why);
  }

  async #close(why: PorticoError): Promise<void> {
    this.streams.service.clock.clear(this.#timer);
    await this.#listener?.close();
    this.#untold = !this.#told;
    this.#first.reject(why);
    this.#over.resolve();
  }
}
