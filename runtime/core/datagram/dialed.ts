/** Datagram sockets that a plugin opens, each with one peer: a session from its dial to its end. */
import type { Caller } from "../calls.ts";
import { callHook, follow, LAST_WORDS, tellError } from "../calls.ts";
import type { DatagramTable, DialedSocket } from "../contract.ts";
import { Count } from "../count.ts";
import type { Address } from "../endpoint.ts";
import { PorticoError } from "../errors.ts";
import { hookError, isOver, isPromise } from "../hooks.ts";
import { keep } from "../keep.ts";
import { recordArrival, recordClose } from "../records.ts";
import type { Service } from "../service.ts";
import { countBytes } from "../totals.ts";
import { BaseSession, toBytes } from "../session.ts";

/** The dialed sockets of one table of hooks. */
export class Dialed {
  readonly service: Service;
  /** What an adapter calls. */
  readonly table: DatagramTable;
  readonly #caller: Caller<DialedSession>;
  readonly #sessions: Set<DialedSession> = new Set();
  readonly #live: Count;

  constructor(service: Service) {
    this.service = service;
    this.#live = new Count(service.clock);
    this.#caller = {
      gather: service.gather,
      failed: (session, thrown) => this.#fail(session, thrown),
      left: (session) => session.running++,
      back: (session) => {
        session.running--;
        this.conclude(session);
      },
    };
    // Before the session is there, nobody has been asked: what comes is no answer.
    this.table = {
      datagram: ({ data }, bytes) => {
        if (data !== undefined) this.#receive(data as DialedSession, bytes);
      },
      failure: ({ data }, error) => service.report(error, (data as DialedSession | undefined)?.id),
    };
  }

  get live(): number {
    return this.#live.value;
  }

  /** As {@link Count.empty}. */
  empty(limit: number): Promise<boolean> {
    return this.#live.empty(limit);
  }

  /** Makes a session of a socket that was dialed with {@link table}; {@link serve} follows. */
  open(socket: DialedSocket, state: unknown): DialedSession {
    const session = new DialedSession(this, socket);
    socket.data = session;
    session.state = state;
    this.#sessions.add(session);
    this.#live.up();
    this.service.countServed();
    recordArrival(this.service, "debug", "open", session);
    const { hooks, pulls } = this.service;
    if (hooks.datagram === undefined && pulls) session.openReader();
    return session;
  }

  /** Has it handled, when whoever has opened it has it. */
  serve(session: DialedSession): void {
    const { hooks } = this.service;
    if (hooks.handle === undefined || hooks.datagram !== undefined || session.over) return;
    const done = (): void => session.close("done");
    callHook(this.#caller, session, () => hooks.handle!(session), done, done);
  }

  #receive(session: DialedSession, bytes: Uint8Array): void {
    const { gather, hooks, keepsDatagrams } = this.service;
    if (session.over) return;
    session.bytesIn += bytes.length;
    const push = hooks.datagram ?? hooks.data;
    if (push === undefined) {
      if (!session.full) session.feed(keep(bytes));
      return;
    }
    gather.enter();
    try {
      const answer = push.call(hooks, session, keepsDatagrams ? keep(bytes) : bytes);
      if (answer !== undefined && isPromise(answer)) follow(this.#caller, session, answer);
    } catch (error) {
      this.#fail(session, error);
    }
    gather.leave();
  }

  #fail(session: DialedSession, thrown: unknown): void {
    if (session.over && isOver(thrown)) return;
    session.reason ??= "error";
    session.cause ??= hookError(thrown);
    tellError(this.service, this.#caller, session, thrown);
    session.close("error");
  }

  /** Calls `finish` when the socket is closed and every hook has come back; then it is over. */
  conclude(session: DialedSession): void {
    if (!session.released || session.running > 0) return;
    const { hooks } = this.service;
    if (session.finishDue) {
      session.finishDue = false;
      if (hooks.finish !== undefined) {
        const goOn = (): void => this.conclude(session);
        return callHook(this.#caller, session, () => hooks.finish!(session), goOn, goOn);
      }
    }
    if (!this.#sessions.delete(session)) return;
    countBytes(this.service.counters, session.bytesIn, session.bytesOut);
    recordClose(this.service, "debug", session, session.age);
    session.gone = true;
    session.tellClosed();
    this.#live.down();
  }

  /** As {@link StreamPipeline.cut}. */
  async cut(reason: string): Promise<void> {
    for (const session of [...this.#sessions]) session.close(reason);
    await this.#live.empty(LAST_WORDS);
  }
}

/** One socket of our own, and its one peer. */
export class DialedSession extends BaseSession {
  /** Why it ends. */
  reason: string | undefined = undefined;
  /** The error that ended it. */
  cause: PorticoError | undefined = undefined;
  over = false;
  /** The socket is closed. */
  released = false;
  /** Nothing is left of it. */
  gone = false;
  /** Hooks that have not come back; `finish` has not been called. */
  running = 0;
  finishDue = true;
  /** More is unread than may be: what comes now is lost, as it would be in a full socket. */
  full = false;
  readonly #dialed: Dialed;
  readonly #socket: DialedSocket;
  readonly #opened: number;

  constructor(dialed: Dialed, socket: DialedSocket) {
    super(dialed.service.nextId());
    this.#dialed = dialed;
    this.#socket = socket;
    this.#opened = this.service.clock.now();
  }

  get service(): Service {
    return this.#dialed.service;
  }

  get kind(): "datagram" {
    return "datagram";
  }

  get remote(): Address {
    return this.#socket.target;
  }

  get local(): Address {
    return this.#socket.address;
  }

  /** Milliseconds since it was opened. */
  get age(): number {
    return Math.floor(this.service.clock.now() - this.#opened);
  }

  write(data: Uint8Array | string): boolean {
    if (this.over) return false;
    const bytes = toBytes(data);
    this.bytesOut += bytes.length;
    return this.#socket.send(bytes, this.#socket.target);
  }

  send(data: Uint8Array | string): Promise<void> {
    if (this.write(data)) return Promise.resolve();
    return Promise.reject(new PorticoError(this.over ? "SESSION_CLOSED" : "SEND_FAILED"));
  }

  /** The kernel holds nobody back who sends datagrams. */
  writable(): Promise<void> {
    return this.over ? Promise.reject(new PorticoError("SESSION_CLOSED")) : Promise.resolve();
  }

  deadline(): void {}

  protected override get pulls(): boolean {
    return this.service.pulls && this.service.hooks.datagram === undefined;
  }

  end(last?: Uint8Array | string): void {
    if (last !== undefined) this.write(last);
    this.close("done");
  }

  abort(): void {
    this.close("aborted");
  }

  /** Closes the socket, once; what was sent goes out first. */
  close(reason: string): void {
    if (this.over) return;
    this.over = true;
    this.reason ??= reason;
    const gone = (): void => {
      this.released = true;
      this.closeReader();
      this.signalEnd(this.reason!);
      this.#dialed.conclude(this);
    };
    this.#socket.close().then(gone, gone);
  }

  pause(): void {}
  resume(): void {}

  throttle(full: boolean): void {
    this.full = full;
  }
}
