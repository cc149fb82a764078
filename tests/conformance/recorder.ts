/** A core that checks the rules of `contract.ts` in whatever a case does with a stream adapter. */
import assert from "node:assert/strict";
import type { Connection, Listener, StreamTable } from "../../runtime/core/contract.ts";
import type { PorticoError } from "../../runtime/core/errors.ts";
import type { TlsContext, TlsInfo } from "../../runtime/core/tls.ts";
import { until } from "../support/until.ts";
import { concat } from "./harness.ts";

/** What a case does when it is called. */
export interface Behaviour {
  open?(connection: Tapped): void;
  secured?(connection: Tapped): void;
  data?(connection: Tapped, chunk: Uint8Array): boolean | void;
  drain?(connection: Tapped): void;
  end?(connection: Tapped): void;
  close?(connection: Tapped, error: PorticoError | undefined): void;
}

/** A connection whose verbs and callbacks are watched. */
export class Tapped {
  /** The one below the last layer of TLS is dead. */
  connection: Connection;
  readonly #recorder: Recorder;
  /** The callbacks; `data` once for all chunks in a row. */
  readonly events: string[] = [];
  readonly chunks: Uint8Array[] = [];
  received = 0;
  drains = 0;
  opening = true;
  /** What the handshake has come to, asked in time. */
  tls: TlsInfo | undefined = undefined;
  /** In a handshake. */
  securing = false;
  paused = false;
  owed = false;
  ended = false;
  closed = false;
  error: PorticoError | undefined = undefined;

  constructor(connection: Connection, recorder: Recorder) {
    this.connection = connection;
    this.#recorder = recorder;
  }

  get pending(): number {
    return this.connection.pending;
  }

  bytes(): Uint8Array {
    return concat(this.chunks);
  }

  write(bytes: Uint8Array): boolean {
    const before = this.owed || this.closed;
    const taken = this.#recorder.within("write", () => this.connection.write(bytes));
    if (!taken && !before) {
      this.owed = true;
      if (this.pending === 0) this.#recorder.complain("write is false, and nothing is pending");
    }
    return taken;
  }

  secure(context: TlsContext): void {
    const { remote, local } = this.connection;
    const secured = this.#recorder.within("secure", () => this.connection.secure!(context));
    this.connection = secured;
    this.securing = true;
    // Whoever was paused below begins anew.
    this.paused = false;
    const complain = (what: string): void => this.#recorder.complain(`after secure ${what}`);
    if (secured.data !== this) complain("the data slot is another");
    if (String(secured.remote) !== String(remote)) complain(`the peer is ${secured.remote}`);
    if (String(secured.local) !== String(local)) complain(`we are ${secured.local}`);
    if (secured.tls !== undefined) complain("there is something of a handshake");
  }

  pause(): void {
    this.#recorder.within("pause", () => this.connection.pause());
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.#recorder.within("resume", () => this.connection.resume());
  }

  end(): void {
    this.#recorder.within("end", () => this.connection.end());
  }

  abort(quiet?: boolean): void {
    this.#recorder.within("abort", () => this.connection.abort(quiet));
  }
}

/** The table of one listener. */
export class Recorder implements StreamTable {
  readonly connections: Tapped[] = [];
  readonly failures: PorticoError[] = [];
  /** The listener, once it is there. */
  listener!: Listener;
  readonly #behaviour: Behaviour;
  readonly #complaints: string[] = [];
  #verb: string | undefined = undefined;

  constructor(behaviour: Behaviour) {
    this.#behaviour = behaviour;
  }

  complain(what: string): void {
    this.#complaints.push(what);
  }

  /** Runs a verb: no callback may come meanwhile. */
  within<Result>(verb: string, call: () => Result): Result {
    const outer = this.#verb;
    this.#verb = verb;
    try {
      return call();
    } finally {
      this.#verb = outer;
    }
  }

  open(connection: Connection): void {
    const tapped = new Tapped(connection, this);
    connection.data = tapped;
    tapped.events.push("open");
    this.connections.push(tapped);
    this.#call("open", () => this.#behaviour.open?.(tapped));
    tapped.opening = false;
  }

  secured(connection: Connection): void {
    const tapped = this.#find(connection, "secured");
    if (!tapped.securing) this.complain("secured without a handshake");
    tapped.securing = false;
    tapped.events.push("secured");
    tapped.tls = connection.tls;
    if (tapped.tls === undefined) this.complain("secured, and nothing is known of it");
    this.#call("secured", () => this.#behaviour.secured?.(tapped));
  }

  data(connection: Connection, chunk: Uint8Array): boolean {
    const tapped = this.#find(connection, "data");
    if (tapped.paused) this.complain("data while paused");
    if (tapped.ended) this.complain("data after end");
    if (chunk.length === 0) this.complain("an empty chunk");
    if (tapped.events.at(-1) !== "data") tapped.events.push("data");
    tapped.chunks.push(chunk.slice());
    tapped.received += chunk.length;
    let kept = false;
    this.#call("data", () => {
      kept = this.#behaviour.data?.(tapped, chunk) === true;
    });
    return kept;
  }

  drain(connection: Connection): void {
    const tapped = this.#find(connection, "drain");
    if (!tapped.owed) this.complain("drain without a write that returned false");
    if (tapped.pending !== 0) this.complain(`drain while ${tapped.pending} bytes are pending`);
    tapped.owed = false;
    tapped.drains++;
    this.#call("drain", () => this.#behaviour.drain?.(tapped));
  }

  end(connection: Connection): void {
    const tapped = this.#find(connection, "end");
    if (tapped.paused) this.complain("end while paused");
    if (tapped.ended) this.complain("a second end");
    tapped.ended = true;
    tapped.events.push("end");
    this.#call("end", () => this.#behaviour.end?.(tapped));
  }

  close(connection: Connection, error: PorticoError | undefined): void {
    const tapped = this.#find(connection, "close");
    tapped.closed = true;
    tapped.error = error;
    tapped.events.push("close");
    if (error !== undefined && error.side !== "peer" && error.side !== "host") {
      this.complain(`close with an error of side ${error.side}: ${error.message}`);
    }
    this.#call("close", () => this.#behaviour.close?.(tapped, error));
  }

  failure(error: PorticoError): void {
    this.failures.push(error);
  }

  #find({ data }: Connection, event: string): Tapped {
    assert.ok(data instanceof Tapped, `${event}: the data slot is not what open put there`);
    if (data.opening) this.complain(`${event} before open has returned`);
    if (data.closed) this.complain(`${event} after close`);
    if (data.securing && !/secured|close/.test(event)) this.complain(`${event} in a handshake`);
    return data;
  }

  #call(event: string, behave: () => void): void {
    const verb = this.#verb;
    if (verb !== undefined) this.complain(`${event} inside ${verb}`);
    this.#verb = undefined;
    try {
      behave();
    } catch (error) {
      this.complain(`${event} threw: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.#verb = verb;
  }

  /** The connection number `index`, when it has come. */
  async connection(index: number): Promise<Tapped> {
    await until(`connection ${index + 1}`, () => this.connections.length > index);
    return this.connections[index]!;
  }

  /** Ends what is left, and says which rules were broken. */
  async stop(settle: () => Promise<void>): Promise<void> {
    await this.listener.close();
    for (const connection of this.connections) if (!connection.closed) connection.abort();
    await until("close of every connection", () => this.connections.every(({ closed }) => closed));
    // A second close, or anything after it, would come now.
    await settle();
    assert.deepEqual(this.#complaints, []);
  }
}
