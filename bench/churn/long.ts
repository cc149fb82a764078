/** Connections that stay: each pings, waits for the whole answer, and pings again. */
import type { Buffer } from "node:buffer";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { Latency } from "./latency.ts";
import { completeLong, type LongLoad, type LongWish, wayTo } from "./load.ts";
import { Answer, payload } from "./payload.ts";
import type { LongReport } from "./report.ts";

/** What all connections of a load count together. */
class Counts {
  readonly latency = new Latency();
  readonly codes: Record<string, number> = {};
  alive = 0;
  broken = 0;
  pings = 0;
  answered = 0;
  lost = 0;
  wrongBytes = 0;
}

class Stayer {
  readonly #socket: Socket;
  readonly #load: LongLoad;
  readonly #number: number;
  readonly #counts: Counts;
  readonly #settled = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<void>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked: { readonly answer: Answer; readonly at: number } | undefined;
  #message = 0;
  #connected = false;
  #leaving = false;
  #code: string | undefined;

  constructor(way: NetConnectOpts, load: LongLoad, number: number, counts: Counts) {
    this.#load = load;
    this.#number = number;
    this.#counts = counts;
    const socket = this.#socket = connect(way);
    this.#timer = setTimeout(() => this.#giveUp(), load.timeoutMs);
    socket.on("error", (error: NodeJS.ErrnoException) => this.#code ??= error.code ?? "UNKNOWN");
    socket.on("connect", () => {
      this.#connected = true;
      counts.alive++;
      this.#ask();
    });
    socket.on("data", (chunk: Buffer) => this.#hear(chunk));
    socket.on("close", () => this.#close());
  }

  /** Its first answer is here, or it is broken. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  /** Ends it, after the answer to what it has asked. */
  async leave(): Promise<void> {
    this.#leaving = true;
    if (this.#asked === undefined) this.#socket.destroy();
    await this.#closed.promise;
  }

  #ask(): void {
    const { bytes, timeoutMs } = this.#load;
    const sent = payload(this.#number, ++this.#message, bytes);
    this.#counts.pings++;
    this.#asked = { answer: new Answer(sent), at: performance.now() };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#giveUp(), timeoutMs);
    this.#socket.write(sent);
  }

  #hear(chunk: Buffer): void {
    if (this.#asked === undefined) {
      this.#counts.wrongBytes += chunk.length;
      return;
    }
    const { answer, at } = this.#asked;
    const before = answer.wrong;
    answer.take(chunk);
    this.#counts.wrongBytes += answer.wrong - before;
    if (answer.missing > 0) return;
    const now = performance.now();
    this.#counts.answered++;
    this.#counts.latency.add(now - at);
    this.#asked = undefined;
    this.#settled.resolve();
    clearTimeout(this.#timer);
    if (this.#leaving) this.#socket.destroy();
    else this.#timer = setTimeout(() => this.#ask(), this.#load.everyMs);
  }

  #giveUp(): void {
    this.#code ??= "NO_ANSWER";
    this.#socket.destroy();
  }

  #close(): void {
    clearTimeout(this.#timer);
    if (this.#connected) this.#counts.alive--;
    if (this.#asked !== undefined) this.#counts.lost++;
    if (!this.#leaving || this.#asked !== undefined) {
      const code = this.#code ?? "CLOSED";
      this.#counts.broken++;
      this.#counts.codes[code] = (this.#counts.codes[code] ?? 0) + 1;
    }
    this.#settled.resolve();
    this.#closed.resolve();
  }
}

/** Begins when it is made. */
export class Long {
  readonly #load: LongLoad;
  readonly #began = performance.now();
  readonly #counts = new Counts();
  readonly #stayers: readonly Stayer[];

  /** @throws RangeError, SyntaxError */
  constructor(wish: LongWish) {
    const load = this.#load = completeLong(wish);
    const way = wayTo(load.endpoint);
    this.#stayers = Array.from(
      { length: load.connections },
      (_, number) => new Stayer(way, load, number, this.#counts),
    );
  }

  /** Every connection has had its first answer, or is broken. */
  async settled(): Promise<void> {
    await Promise.all(this.#stayers.map((stayer) => stayer.settled));
  }

  /** Ends the connections, each after the answer to what it has asked. */
  async stop(): Promise<LongReport> {
    const before = this.report();
    await Promise.all(this.#stayers.map((stayer) => stayer.leave()));
    return { ...this.report(), alive: before.alive };
  }

  /** The counts so far. */
  report(): LongReport {
    const { latency, codes, alive, broken, pings, answered, lost, wrongBytes } = this.#counts;
    return {
      connections: this.#load.connections,
      alive,
      broken,
      pings,
      answered,
      lost,
      wrongBytes,
      seconds: (performance.now() - this.#began) / 1_000,
      latency: latency.percentiles,
      codes: { ...codes },
    };
  }
}
