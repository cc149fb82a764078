/** One short connection, from its connect to its end. */
import type { Buffer } from "node:buffer";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { Answer } from "./payload.ts";
import type { Outcome } from "./report.ts";

/** What became of it. */
export interface Ended {
  readonly outcome: Outcome;
  readonly code: string | undefined;
  readonly sent: number;
  readonly received: number;
  readonly missing: number;
  readonly wrong: number;
  /** It was reset after its last byte. */
  readonly unclean: boolean;
  readonly ms: number;
}

/** How it behaves. */
export interface Manner {
  readonly holdMs: number;
  readonly timeoutMs: number;
  /** Ends our side right behind the payload. */
  readonly first: boolean;
}

/** Of our side alone: another port or another moment may do. */
const OWN: ReadonlySet<string> = new Set([
  "EADDRINUSE",
  "EADDRNOTAVAIL",
  "EMFILE",
  "ENFILE",
  "ENOBUFS",
]);

class Exchange {
  readonly #socket: Socket;
  readonly #bytes: Buffer;
  readonly #manner: Manner;
  readonly #answer: Answer;
  readonly #began = performance.now();
  readonly #settle = Promise.withResolvers<Ended>();
  readonly #timer: ReturnType<typeof setTimeout>;
  #pause: ReturnType<typeof setTimeout> | undefined;
  #connected = false;
  #ended = false;
  #late = false;
  #sent = 0;
  #code: string | undefined;

  constructor(way: NetConnectOpts, bytes: Buffer, manner: Manner) {
    this.#bytes = bytes;
    this.#manner = manner;
    this.#answer = new Answer(bytes);
    this.#timer = setTimeout(() => this.#giveUp(), manner.timeoutMs + manner.holdMs);
    const socket = this.#socket = connect({ ...way, allowHalfOpen: true });
    socket.on("error", (error: NodeJS.ErrnoException) => this.#code ??= error.code ?? "UNKNOWN");
    socket.on("connect", () => this.#speak());
    socket.on("data", (chunk: Buffer) => this.#hear(chunk));
    socket.on("end", () => {
      this.#ended = true;
      socket.end();
    });
    socket.on("close", () => this.#close());
  }

  get ended(): Promise<Ended> {
    return this.#settle.promise;
  }

  #speak(): void {
    this.#connected = true;
    const { holdMs } = this.#manner;
    if (holdMs === 0) return this.#say(0, this.#bytes.length);
    const half = this.#bytes.length >> 1;
    this.#say(0, half);
    this.#pause = setTimeout(() => this.#say(half, this.#bytes.length), holdMs);
  }

  #say(from: number, to: number): void {
    if (!this.#socket.writable) return;
    this.#sent = to;
    const last = to === this.#bytes.length && this.#manner.first;
    if (last) this.#socket.end(this.#bytes.subarray(from, to));
    else this.#socket.write(this.#bytes.subarray(from, to));
  }

  #hear(chunk: Buffer): void {
    this.#answer.take(chunk);
    if (this.#answer.missing === 0 && !this.#manner.first) this.#socket.end();
  }

  #giveUp(): void {
    this.#late = true;
    this.#socket.destroy();
  }

  #outcome(): Outcome {
    const { wrong, missing } = this.#answer;
    if (wrong > 0) return "wrong";
    // Whole, and then neither an end nor a reset: the session hangs at the server.
    if (this.#late) return "timedOut";
    if (this.#connected) {
      if (missing === 0) return "completed";
      return this.#code === undefined ? "closedEarly" : "reset";
    }
    return OWN.has(this.#code ?? "") ? "own" : "refused";
  }

  #close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#pause);
    const { received, wrong, missing } = this.#answer;
    const outcome = this.#outcome();
    this.#settle.resolve({
      outcome,
      code: this.#code,
      sent: this.#sent,
      received,
      wrong,
      missing: this.#connected ? missing : 0,
      unclean: outcome === "completed" && !this.#ended,
      ms: performance.now() - this.#began - this.#manner.holdMs,
    });
  }
}

/** Makes a connection and sees it to its end. What goes wrong is counted, not thrown. */
export function once(way: NetConnectOpts, bytes: Buffer, manner: Manner): Promise<Ended> {
  return new Exchange(way, bytes, manner).ended;
}
